#include "words.h"

#include <string.h>

/* A fixed sequence that every word is exclusive-ored with: the code is cyclic, so that without it a word that is
 * looked at one byte too early or too late would be a word too. */
static uint8_t scramble(uint16_t *state)
{
    *state = (uint16_t)(*state * 25173u + 13849u);
    return (uint8_t)(*state >> 8);
}

void head_word_write(const uint8_t *piece, size_t size, unsigned number, unsigned pieces, uint8_t line[WORD_LINE])
{
    uint8_t used[32] = {0};
    uint16_t state = 1;
    unsigned mask = 0;
    memset(line, 0, WORD_LINE);
    line[1] = (uint8_t)(number | (pieces - 1) << 4);
    memcpy(line + 2, piece, size);
    field_parity(line, line + WORD_DATA);
    for (int i = 0; i < WORD_BYTES; i++) {
        line[i] ^= scramble(&state);
        used[line[i] >> 3] |= (uint8_t)(1u << (line[i] & 7));
    }
    /* 255 bytes cannot use all 256 values; one that does not occur leaves no zero byte. */
    while (used[mask >> 3] >> (mask & 7) & 1)
        mask++;
    for (int i = 0; i < WORD_BYTES; i++)
        line[i] ^= (uint8_t)mask;
}

int head_word_read(const uint8_t line[WORD_BYTES], uint8_t word[WORD_BYTES])
{
    uint16_t state = 1;
    for (int i = 0; i < WORD_BYTES; i++)
        word[i] = line[i] ^ scramble(&state);
    const int repaired = field_correct(word);
    const uint8_t mask = word[0];
    for (int i = 0; i < WORD_BYTES; i++)
        word[i] ^= mask;
    return repaired;
}

/* Forget the first bytes of what is held. */
static void drop(struct vultus_head_words *in, size_t count)
{
    in->held = (uint16_t)(in->held - count);
    memmove(in->line, in->line + count, in->held);
}

/* Join a piece to what was collected; returns the size of the packet that it ends. */
static size_t join(struct vultus_head_words *in, const uint8_t *word, uint32_t *bad)
{
    const uint8_t number = word[1] & 15, pieces = (uint8_t)((word[1] >> 4) + 1);
    const size_t at = (size_t)number * WORD_PIECE;
    if (number > 0 && number + 1 == in->next && pieces == in->pieces)
        return 0; /* a word that came twice */
    const bool fits = number < pieces && at + WORD_PIECE <= sizeof in->packet;
    if (!fits || (number > 0 && (number != in->next || pieces != in->pieces))) {
        in->next = in->pieces = 0;
        ++*bad;
        return 0;
    }
    in->pieces = pieces;
    in->next = (uint8_t)(number + 1);
    memcpy(in->packet + at, word + 2, WORD_PIECE);
    if (in->next < pieces)
        return 0;
    in->next = in->pieces = 0;
    const size_t size = (size_t)(in->packet[4] | in->packet[5] << 8) + 10;
    if (size <= at || size > at + WORD_PIECE) {
        ++*bad;
        return 0;
    }
    return size;
}

size_t head_word_take(struct vultus_head_words *in, uint8_t byte, uint32_t *bad)
{
    uint8_t word[WORD_BYTES];
    in->line[in->held++] = byte;
    if (in->held < WORD_LINE)
        return 0;
    if (head_word_read(in->line, word) < 0) {
        const uint8_t *zero = memchr(in->line, 0, WORD_LINE);
        drop(in, zero != NULL ? (size_t)(zero - in->line) + 1 : WORD_LINE);
        ++*bad;
        return 0;
    }
    /* The zero byte is not at its place when bytes were lost: then the next word begins earlier. */
    size_t end = WORD_LINE;
    while (end > WORD_LINE - WORD_REPAIRS && in->line[end - 1] != 0)
        end--;
    drop(in, in->line[end - 1] == 0 ? end : WORD_LINE);
    return join(in, word, bad);
}
