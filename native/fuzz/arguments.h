/* Arguments drawn at random for the fuzz driver, good and bad. */
#ifndef VULTUS_ARGUMENTS_H
#define VULTUS_ARGUMENTS_H

#include "check.h"

/* Mostly a sane side, at times one that must be refused. */
int side(void);

/* Mostly at least a row of pixels of so many bytes. */
ptrdiff_t stride_of(int width, int bytes);

/* Mostly within +-largest, at times huge, infinite or no number. */
double number(double largest);

/* The buffer that an image's arguments ask for; one that may not be touched when they are bad; NULL when it is good and too
 * large to try. */
void *buffer(int width, int height, int bytes, ptrdiff_t stride, enum guard guard, size_t *size);

/* Layers in 8-bit integers, good and bad. Returns the status, -1 when it was not tried. */
int run_layers(void);
int run_candidates(void);

#endif
