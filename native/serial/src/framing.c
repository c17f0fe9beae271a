/* Where packets begin and end on the line: COBS or coded words, whichever LINE agreed on (PROTOCOL.md, section 3). */
#include "parts.h"
#include "words.h"

void head_frame(struct vultus_head *head, int type, size_t size)
{
    size_t at = 0;
    head->out_sent = 0;
    if (head->coded && type != WELCOME && type != REFUSE) {
        head->piece = 0;
        head->pieces = (uint8_t)((size + WORD_PIECE - 1) / WORD_PIECE);
        head->packet_size = (uint16_t)size;
        head_next_word(head);
        return;
    }
    if (!head->greeted)
        head->out[at++] = 0;
    head->greeted = true;
    at += head_stuff(head->packet, size, head->out + at);
    head->out[at++] = 0;
    head->out_size = (uint16_t)at;
    if (type == LINE_SET) /* told in the old framing */
        head->coded = head->coded_next;
}

bool head_next_word(struct vultus_head *head)
{
    if (head->piece == head->pieces)
        return false;
    const size_t at = (size_t)head->piece * WORD_PIECE, left = head->packet_size - at;
    head_word_write(head->packet + at, left < WORD_PIECE ? left : WORD_PIECE, head->piece, head->pieces, head->out);
    head->out_size = WORD_LINE;
    head->out_sent = 0;
    if (++head->piece == head->pieces && head->packet[1] == LINE_SET)
        head->coded = head->coded_next;
    return true;
}

size_t head_take(struct vultus_head *head, bool coded, uint8_t byte, uint8_t **packet)
{
    uint32_t unused = 0, *bad = coded == head->coded ? &head->bad : &unused;
    *packet = coded ? head->words.packet : head->unframer.bytes;
    return coded ? head_word_take(&head->words, byte, bad) : head_unframe(&head->unframer, byte, bad);
}

void head_line(struct vultus_head *head, const uint8_t *request, uint8_t *answer)
{
    const uint16_t chunk = (uint16_t)get(request + 2, 2);
    if (!head->streaming && request[1] <= 1 && chunk >= 16 && chunk <= 1000) {
        head->chunk_bytes = chunk;
        head->coded_next = request[1] == 1;
    }
    answer[0] = head->coded_next;
    put(answer + 1, head->chunk_bytes, 2);
}
