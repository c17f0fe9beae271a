/* The loop: what comes in is acted on, what is to go out is packed. */
#include "parts.h"

#include <string.h>

enum { SILENCE_US = 3000000 };

void vultus_head_init(struct vultus_head *head, const struct vultus_head_callbacks *on, const struct vultus_head_texts *texts)
{
    memset(head, 0, sizeof *head);
    head->on = *on;
    head->texts = *texts;
    head->chunk_bytes = 900;
}

void vultus_head_pair(struct vultus_head *head, const struct vultus_head_pairing *pairing) { head->pairing = pairing; }

void vultus_head_drop(struct vultus_head *head) { head_end(head); }

bool vultus_head_streaming(const struct vultus_head *head) { return head->streaming != 0; }

unsigned vultus_head_room(const struct vultus_head *head)
{
    return head->streaming ? (unsigned)(VULTUS_HEAD_FRAMES - head->frames) : 0;
}

/* Take a byte in one framing and act on the packet that it ends. */
static void hear(struct vultus_head *head, bool coded, uint8_t byte)
{
    uint8_t *packet;
    const uint8_t *payload;
    size_t size;
    const size_t held = head_take(head, coded, byte, &packet);
    if (held == 0)
        return;
    const int type = head_check(packet, held, head->session, &payload, &size);
    const bool sealed = type != HELLO && head->sealing.phase != VULTUS_HEAD_UNSEALED;
    if (type >= 0 && (!sealed || head_open(head, packet, &size)))
        head_act(head, type, payload, size);
    else if (coded == head->coded)
        head->bad++;
}

static void listen(struct vultus_head *head)
{
    uint8_t bytes[64];
    size_t came = head->on.receive(head->on.user, bytes, sizeof bytes);
    for (; came > 0; came = head->on.receive(head->on.user, bytes, sizeof bytes))
        for (size_t i = 0; i < came && i < sizeof bytes; i++) {
            hear(head, false, bytes[i]);
            hear(head, true, bytes[i]);
        }
}

/* Frame what lies in `packet` behind the place of the header, sealed where the session is. */
static void pack(struct vultus_head *head, uint8_t type, size_t size)
{
    const bool open = type == WELCOME || type == REFUSE, sealed = !open && head->sealing.phase != VULTUS_HEAD_UNSEALED;
    uint8_t number[4], *p = head->packet;
    size += sealed ? VULTUS_HEAD_TAG : 0;
    p[0] = 1;
    p[1] = type;
    put(p + 2, head->sent & 0xffff, 2);
    put(p + 4, size, 2);
    if (sealed && !head_seal(head, p, size)) {
        head_end(head);
        return;
    }
    head->sent++;
    put(number, open ? 0 : head->session, 4);
    put(p + HEADER + size, head_crc(head_crc(0, number, 4), p, HEADER + size), CRC);
    head_frame(head, type, HEADER + size + CRC);
}

/* Make the next packet; false when there is nothing to say. */
static bool speak(struct vultus_head *head, uint64_t now)
{
    if (head->reply_type != 0) {
        const uint8_t type = head->reply_type;
        memcpy(head->packet + HEADER, head->reply, head->reply_size);
        head->reply_type = 0;
        pack(head, type, head->reply_size);
        if (head->ends)
            head_end(head);
        return true;
    }
    const size_t size = head_chunk(head, head->packet + HEADER, now);
    if (size == 0)
        return false;
    pack(head, CHUNK, size);
    return true;
}

bool vultus_head_poll(struct vultus_head *head)
{
    listen(head);
    const uint64_t now = head->on.time_us(head->on.user);
    if (head->session != 0 && now - head->heard_us > SILENCE_US)
        head_end(head);
    for (;;) {
        if (head->out_sent == head->out_size && !head_next_word(head) && !speak(head, now))
            return false;
        const size_t left = (size_t)(head->out_size - head->out_sent);
        const size_t took = head->on.send(head->on.user, head->out + head->out_sent, left);
        head->out_sent = (uint16_t)(head->out_sent + (took < left ? took : left));
        if (head->out_sent < head->out_size)
            return true;
    }
}
