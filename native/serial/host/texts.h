/* What the synthetic head says about itself. Both return the length; `size` must be ample. */
#ifndef VULTUS_HEAD_TEXTS_H
#define VULTUS_HEAD_TEXTS_H

#include <stddef.h>

int write_capabilities(char *to, size_t size, unsigned width, unsigned height, unsigned rate_hz, int strobe);
int write_calibration(char *to, size_t size, unsigned width, unsigned height);

#endif
