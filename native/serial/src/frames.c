/* Frames in flight: cut into chunks, kept until acknowledged, sent again when lost (PROTOCOL.md, section 6). */
#include "parts.h"

#include <string.h>

enum state { WAITING, CAME, LOST };
enum { REORDER = 3, PROBE_US = 500000, MOST_CHUNKS = 65535 };

static const uint8_t pixel_bytes[4] = {3, 1, 2, 2};

void head_clear(struct vultus_head *head)
{
    while (head->frames > 0) {
        const struct vultus_head_frame frame = head->queue[--head->frames].frame;
        head->on.released(head->on.user, &frame);
    }
    head->next = head->lowest = head->limit = head->queued = 0;
}

static void write_header(uint8_t *h, const struct vultus_head_frame *f, size_t pixels)
{
    memset(h, 0, VULTUS_HEAD_FRAME_HEADER);
    h[0] = f->stream;
    h[1] = f->exposure;
    h[2] = f->format;
    h[3] = (uint8_t)((f->lit ? 1 : 0) | (f->last ? 2 : 0));
    put(h + 4, f->width, 2);
    put(h + 6, f->height, 2);
    put(h + 8, f->set, 4);
    put(h + 12, f->strobe, 4);
    put(h + 16, f->time_us, 8);
    put(h + 24, f->strobe_position, 2);
    put(h + 28, head_crc(0, f->pixels, pixels), 4);
}

bool vultus_head_offer(struct vultus_head *head, const struct vultus_head_frame *frame)
{
    if (!head->streaming || head->frames == VULTUS_HEAD_FRAMES || frame->format > 3 || frame->stream > 3)
        return false;
    if (frame->width < 16 || frame->height < 16 || frame->width > 8192 || frame->height > 8192)
        return false;
    const uint32_t pixels = (uint32_t)frame->width * frame->height * pixel_bytes[frame->format];
    const uint32_t size = pixels + VULTUS_HEAD_FRAME_HEADER;
    const uint32_t count = (size + head->chunk_bytes - 1) / head->chunk_bytes;
    if (count > MOST_CHUNKS)
        return false;
    struct vultus_head_queued *q = &head->queue[head->frames++];
    *q = (struct vultus_head_queued){.frame = *frame, .first = head->queued, .count = count, .size = size};
    write_header(q->header, frame, pixels);
    head->queued += count;
    head->sets += frame->last;
    return true;
}

/* Give back the frames whose last chunk has come. */
static void release(struct vultus_head *head)
{
    uint8_t done = 0;
    while (done < head->frames && head->lowest - head->queue[done].first >= head->queue[done].count)
        done++;
    for (uint8_t i = 0; i < done; i++)
        head->on.released(head->on.user, &head->queue[i].frame);
    head->frames = (uint8_t)(head->frames - done);
    memmove(head->queue, head->queue + done, head->frames * sizeof head->queue[0]);
}

void head_acknowledged(struct vultus_head *head, const uint8_t *payload, size_t size)
{
    const uint32_t next = (uint32_t)get(payload, 4), limit = (uint32_t)get(payload + 4, 4);
    const uint16_t latest = (uint16_t)get(payload + 8, 2);
    if (!head->streaming || next < head->lowest || next > head->next || limit > next + VULTUS_HEAD_WINDOW)
        return;
    bool news = next != head->lowest || limit > head->limit;
    head->lowest = next;
    if (limit > head->limit)
        head->limit = limit;
    const size_t bits = 8 * (size < 42 ? size - 10 : 32);
    for (uint32_t i = 0; i < bits && next + 1 + i < head->next; i++) {
        uint8_t *state = &head->state[(next + 1 + i) % VULTUS_HEAD_WINDOW];
        if ((payload[10 + i / 8] >> (i % 8) & 1) != 0 && *state != CAME) {
            *state = CAME;
            news = true;
        }
    }
    for (uint32_t k = next; k != head->next; k++) {
        const uint32_t slot = k % VULTUS_HEAD_WINDOW;
        const uint16_t behind = (uint16_t)(latest - head->sent_as[slot]);
        if (head->state[slot] == WAITING && behind > REORDER && behind < 0x8000)
            head->state[slot] = LOST;
    }
    if (news)
        head->told_us = head->on.time_us(head->on.user);
    release(head);
}

/* Copy bytes `at` to `at + size` of a frame, header first. */
static void copy_part(const struct vultus_head_queued *q, uint32_t at, uint32_t size, uint8_t *to)
{
    while (size > 0 && at < VULTUS_HEAD_FRAME_HEADER) {
        *to++ = q->header[at++];
        size--;
    }
    if (size > 0)
        memcpy(to, q->frame.pixels + (at - VULTUS_HEAD_FRAME_HEADER), size);
}

/* Say which chunk should go next: a lost one, a new one, or after a long silence the lowest. */
static bool choose(struct vultus_head *head, uint64_t now, uint32_t *chunk)
{
    for (uint32_t k = head->lowest; k != head->next; k++)
        if (head->state[k % VULTUS_HEAD_WINDOW] == LOST) {
            *chunk = k;
            return true;
        }
    if (head->next < head->queued && head->next < head->limit && head->next - head->lowest < VULTUS_HEAD_WINDOW) {
        if (head->next == head->lowest)
            head->told_us = now;
        *chunk = head->next++;
        return true;
    }
    if (head->next == head->lowest || now - head->told_us < PROBE_US)
        return false;
    head->told_us = now;
    *chunk = head->lowest;
    return true;
}

size_t head_chunk(struct vultus_head *head, uint8_t *payload, uint64_t now)
{
    uint32_t chunk;
    if (!head->streaming || !choose(head, now, &chunk))
        return 0;
    const struct vultus_head_queued *q = head->queue;
    while (chunk - q->first >= q->count)
        q++;
    const uint32_t index = chunk - q->first, at = index * head->chunk_bytes;
    const uint32_t size = q->size - at < head->chunk_bytes ? q->size - at : head->chunk_bytes;
    put(payload, chunk, 4);
    put(payload + 4, index, 2);
    copy_part(q, at, size, payload + 6);
    head->sent_as[chunk % VULTUS_HEAD_WINDOW] = (uint16_t)head->sent;
    head->state[chunk % VULTUS_HEAD_WINDOW] = WAITING;
    return size + 6;
}
