/* A head whose pictures are computed, for tests on a host: bytes in, bytes out, the time is an argument. */
#ifndef VULTUS_HEAD_SYNTHETIC_H
#define VULTUS_HEAD_SYNTHETIC_H

#include "vultus/serial_head.h"

struct synthetic;

/* Make a head with pictures of this size; `rate_hz` and `strobe` are what it says about itself. NULL without memory. */
struct synthetic *synthetic_new(unsigned width, unsigned height, unsigned rate_hz, int strobe);
void synthetic_free(struct synthetic *s);
/* Give it bytes of the line; returns how many it took. */
size_t synthetic_feed(struct synthetic *s, const uint8_t *bytes, size_t size);
/* Let it work at a time; writes at most `room` bytes for the line to `out` and returns how many. */
size_t synthetic_step(struct synthetic *s, uint64_t now_us, uint8_t *out, size_t room);
/* The core inside; as it is made it takes sessions that are not sealed, and cannot be paired. */
struct vultus_head *synthetic_head(struct synthetic *s);
uint32_t synthetic_bad(const struct synthetic *s);

#endif
