#include "synthetic.h"
#include "texts.h"

#include <stdlib.h>
#include <string.h>

enum { SETS = 2, IN = 4096, TEXT = 1024 };

struct synthetic {
    struct vultus_head head;
    unsigned width, height, busy[SETS];
    uint8_t *memory[SETS], streams, in[IN], *out;
    size_t in_size, in_at, room, out_size;
    uint64_t now, due;
    uint32_t period, set;
    char capabilities[TEXT], calibration[TEXT];
};

static size_t send_bytes(void *user, const uint8_t *bytes, size_t size)
{
    struct synthetic *s = user;
    const size_t left = s->room - s->out_size, n = size < left ? size : left;
    if (n > 0)
        memcpy(s->out + s->out_size, bytes, n);
    s->out_size += n;
    return n;
}

static size_t receive_bytes(void *user, uint8_t *bytes, size_t size)
{
    struct synthetic *s = user;
    const size_t left = s->in_size - s->in_at, n = size < left ? size : left;
    memcpy(bytes, s->in + s->in_at, n);
    s->in_at += n;
    return n;
}
static uint64_t time_us(void *user) { return ((struct synthetic *)user)->now; }

static uint8_t start(void *user, uint8_t streams, uint32_t *period_us)
{
    struct synthetic *s = user;
    s->streams = streams & 15;
    s->period = *period_us;
    s->due = s->now;
    s->set = 0;
    return s->streams;
}

static void stop(void *user) { ((struct synthetic *)user)->streams = 0; }

static void released(void *user, const struct vultus_head_frame *frame)
{
    ((struct synthetic *)user)->busy[frame->set % SETS]--;
}

/* Fill one picture so that stream, set and place show in every pixel. */
static void draw(const struct synthetic *s, const struct vultus_head_frame *f, uint8_t *to)
{
    for (unsigned y = 0; y < s->height; y++)
        for (unsigned x = 0; x < s->width; x++)
            if (f->format == VULTUS_HEAD_RGB8)
                for (unsigned c = 0; c < 3; c++)
                    *to++ = (uint8_t)(x * 3 + y * 5 + c * 85 + f->set * 7);
            else if (f->format == VULTUS_HEAD_GREY8)
                *to++ = (uint8_t)((f->lit ? 120 : 20) + (x * 7 + y * 3 + f->set * 11) % 64);
            else {
                const unsigned mm = (x + y + f->set) % 16 == 0 ? 0 : 600 + (x * 2 + y + f->set) % 400;
                *to++ = (uint8_t)mm;
                *to++ = (uint8_t)(mm >> 8);
            }
}

static void capture(struct synthetic *s)
{
    static const uint8_t kinds[4][4] = {{0, 0, 0, 1}, {1, 0, 1, 2}, {1, 1, 1, 4}, {3, 0, 3, 8}}; /* stream, exposure, format, mask */
    const size_t area = (size_t)s->width * s->height;
    const size_t at[4] = {0, 3 * area, 4 * area, 5 * area};
    struct vultus_head_frame f = {.width = (uint16_t)s->width, .height = (uint16_t)s->height, .set = s->set};
    const bool first_lit = vultus_head_strobe(&s->head, &f.strobe, &f.strobe_position);
    int last = 0;
    for (int i = 0; i < 4; i++)
        if (s->streams & kinds[i][3])
            last = i;
    for (int i = 0; i < 4; i++) {
        if (!(s->streams & kinds[i][3]))
            continue;
        f.stream = kinds[i][0];
        f.exposure = kinds[i][1];
        f.format = kinds[i][2];
        f.lit = f.stream == VULTUS_HEAD_NIR && (f.exposure == 0) == first_lit;
        f.last = i == last;
        f.time_us = s->now + 100 * (unsigned)i;
        f.pixels = s->memory[s->set % SETS] + at[i];
        draw(s, &f, s->memory[s->set % SETS] + at[i]);
        s->busy[s->set % SETS] += vultus_head_offer(&s->head, &f);
    }
    s->set++;
}

struct synthetic *synthetic_new(unsigned width, unsigned height, unsigned rate_hz, int strobe)
{
    struct synthetic *s = calloc(1, sizeof *s);
    for (int i = 0; s != NULL && i < SETS; i++)
        if ((s->memory[i] = malloc((size_t)7 * width * height)) == NULL)
            abort();
    if (s == NULL)
        return NULL;
    s->width = width;
    s->height = height;
    const int n = write_capabilities(s->capabilities, TEXT, width, height, rate_hz, strobe), m = write_calibration(s->calibration, TEXT, width, height);
    const struct vultus_head_callbacks on = {s, send_bytes, receive_bytes, time_us, start, stop, released};
    const struct vultus_head_texts texts = {s->capabilities, s->calibration, (uint16_t)n, (uint16_t)m, strobe != 0, true};
    vultus_head_init(&s->head, &on, &texts);
    return s;
}

void synthetic_free(struct synthetic *s)
{
    for (int i = 0; s != NULL && i < SETS; i++)
        free(s->memory[i]);
    free(s);
}

size_t synthetic_feed(struct synthetic *s, const uint8_t *bytes, size_t size)
{
    memmove(s->in, s->in + s->in_at, s->in_size - s->in_at);
    s->in_size -= s->in_at;
    s->in_at = 0;
    const size_t n = size < IN - s->in_size ? size : IN - s->in_size;
    memcpy(s->in + s->in_size, bytes, n);
    s->in_size += n;
    return n;
}

size_t synthetic_step(struct synthetic *s, uint64_t now_us, uint8_t *out, size_t room)
{
    s->now = now_us;
    s->out = out;
    s->room = room;
    s->out_size = 0;
    if (s->streams && now_us >= s->due && vultus_head_room(&s->head) >= 4 && s->busy[s->set % SETS] == 0) {
        s->due = (s->due + s->period < now_us ? now_us : s->due) + s->period;
        capture(s);
    }
    vultus_head_poll(&s->head);
    return s->out_size;
}

uint32_t synthetic_bad(const struct synthetic *s) { return s->head.bad; }
struct vultus_head *synthetic_head(struct synthetic *s) { return &s->head; }
