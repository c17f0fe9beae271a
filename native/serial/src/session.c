/* What the host asks and what it is told (PROTOCOL.md, sections 4, 5 and 7). */
#include "parts.h"
#include <string.h>

/* Make the answer that goes next; its first byte is the number of the request. */
static uint8_t *answer(struct vultus_head *head, uint8_t type, uint8_t size, uint8_t request)
{
    head->reply_type = type;
    head->reply_size = size;
    head->reply[0] = request;
    return head->reply + 1;
}

static void describe(struct vultus_head *head, const uint8_t *p)
{
    const char *text = p[1] == 0 ? head->texts.capabilities : head->texts.calibration;
    const uint16_t total = p[1] == 0 ? head->texts.capabilities_size : head->texts.calibration_size;
    const uint16_t at = (uint16_t)get(p + 2, 2);
    if (p[1] > 1 || at > total) {
        head->bad++;
        return;
    }
    const uint8_t size = (uint8_t)(total - at < 200 ? total - at : 200);
    uint8_t *out = answer(head, DESCRIPTION, (uint8_t)(10 + size), p[0]);
    out[0] = p[1];
    put(out + 1, at, 2);
    put(out + 3, total, 2);
    put(out + 5, head_crc(0, (const uint8_t *)text, total), 4);
    memcpy(out + 9, text + at, size);
}

static void line(struct vultus_head *head, const uint8_t *p)
{
    head_line(head, p, answer(head, LINE_SET, 4, p[0]));
}

static void start(struct vultus_head *head, const uint8_t *p)
{
    uint32_t period = (uint32_t)get(p + 2, 4);
    const uint32_t limit = (uint32_t)get(p + 6, 4);
    if (!head->streaming) {
        head_clear(head);
        head->streaming = head->on.start(head->on.user, p[1], &period);
        head->limit = limit < VULTUS_HEAD_WINDOW ? limit : VULTUS_HEAD_WINDOW;
    }
    uint8_t *out = answer(head, STARTED, 6, p[0]);
    out[0] = head->streaming;
    put(out + 1, period, 4);
}

static void stop(struct vultus_head *head, const uint8_t *p)
{
    if (head->streaming)
        head->on.stop(head->on.user);
    head->streaming = 0;
    head_clear(head);
    answer(head, STOPPED, 1, p[0]);
}

static void strobe(struct vultus_head *head, const uint8_t *p)
{
    const uint32_t number = (uint32_t)get(p + 1, 4);
    const bool good = head->texts.strobe && number != 0 && p[5] >= 1 && p[5] <= 64;
    if (good && number != head->strobe) {
        head->strobe = number;
        head->strobe_length = p[5];
        head->strobe_bits = get(p + 6, 8);
        head->strobe_first = head->sets;
    }
    put(answer(head, STROBE_SET, 5, p[0]), good ? number : 0, 4);
}

bool vultus_head_strobe(const struct vultus_head *head, uint32_t *number, uint16_t *position)
{
    *number = head->strobe;
    *position = (uint16_t)(head->strobe == 0 ? 0u : (head->sets - head->strobe_first) % head->strobe_length);
    return head->strobe == 0 || (head->strobe_bits >> *position & 1) != 0;
}

void head_act(struct vultus_head *head, int type, const uint8_t *payload, size_t size)
{
    static const struct {
        uint8_t type, least;
        void (*run)(struct vultus_head *head, const uint8_t *payload);
    } requests[] = {{DESCRIBE, 4, describe}, {LINE, 4, line}, {START, 10, start}, {STOP, 1, stop}, {STROBE, 14, strobe}, {UNPAIR, 1, head_unpair}};
    if (type == HELLO)
        head_hello(head, payload, size);
    const enum vultus_head_phase phase = head->sealing.phase;
    if (type == HELLO || head->session == 0 || (phase == VULTUS_HEAD_PROVING && type != PROVE && type != BYE) ||
        (phase == VULTUS_HEAD_FORGOTTEN && type != UNPAIR && type != BYE))
        return;
    head->heard_us = head->on.time_us(head->on.user);
    if (type == PROVE && phase != VULTUS_HEAD_UNSEALED)
        head_prove(head, payload, size);
    if (type == ACK && size >= 10)
        head_acknowledged(head, payload, size);
    if (type == BYE)
        head_end(head);
    if (type == PING && size >= 4) {
        head->reply_type = PONG;
        head->reply_size = 12;
        memcpy(head->reply, payload, 4);
        put(head->reply + 4, head->heard_us, 8);
    }
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        if (requests[i].type == type) {
            if (size >= requests[i].least)
                requests[i].run(head, payload);
            else
                head->bad++;
        }
}
