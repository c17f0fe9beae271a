/* Test support: exact memory, a fixed random sequence, and failures that say where. */
#ifndef VULTUS_CHECK_H
#define VULTUS_CHECK_H

#include "kernels.h"

#include <stdint.h>
#include <stdio.h>

/* Where a guarded block touches memory that may not be touched: a read or write beyond it there ends the process. Sanitizers
 * do not see gather instructions; the processor does. */
enum guard { GUARD_AFTER, GUARD_BEFORE, GUARD_COUNT };

void *guarded(size_t size, enum guard guard);
/* A pointer that nothing may touch. */
void *forbidden(void);
/* Give back every guarded block. */
void release(void);

void seed(uint64_t value);
uint32_t draw(uint32_t below);
void fill(void *memory, size_t size);

extern int failures;

/* Count a failure and say what was compared; at most a few lines for each kernel. */
void fail(const char *file, int line, const char *what, int width, int height);

#define EXPECT(condition, width, height) \
    do { \
        if (!(condition)) \
            fail(__FILE__, __LINE__, #condition, width, height); \
    } while (0)

#define ELEMENTS(array) ((int)(sizeof(array) / sizeof(array)[0]))

#define VULTUS_OP(op) void check_##op(void (*kernel)(const struct vultus_##op##_args *));
#include "kernels.def"

void check_api(void);

#endif
