#define _DEFAULT_SOURCE
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    void *start;
    size_t size;
} blocks[64];
static int block_count;
static uint64_t state = 1;
int failures;

/* One page that faults on either side of whole pages; the block stands at the end or at the start of those. */
void *guarded(size_t size, enum guard guard)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t inner = (size + page - 1) / page * page, whole = inner + 2 * page;
    uint8_t *start = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || block_count == ELEMENTS(blocks) || (inner > 0 && mprotect(start + page, inner, PROT_READ | PROT_WRITE))) {
        fprintf(stderr, "no memory for the tests\n");
        exit(2);
    }
    blocks[block_count].start = start;
    blocks[block_count++].size = whole;
    return guard == GUARD_AFTER ? start + page + inner - size : start + page;
}

void *forbidden(void)
{
    return guarded(0, GUARD_BEFORE);
}

void release(void)
{
    while (block_count > 0) {
        block_count--;
        munmap(blocks[block_count].start, blocks[block_count].size);
    }
}

void seed(uint64_t value)
{
    state = value * 2 + 1;
}

/* Knuth's linear congruential sequence; its upper half is random enough for pictures. */
uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((state >> 32) * below) >> 32);
}

void fill(void *memory, size_t size)
{
    uint8_t *bytes = memory;
    /* Many extremes, because saturation and clipping go wrong there. */
    for (size_t i = 0; i < size; i++)
        bytes[i] = draw(4) == 0 ? (draw(2) ? 255 : 0) : (uint8_t)draw(256);
}

void fail(const char *file, int line, const char *what, int width, int height)
{
    if (failures++ < 40)
        fprintf(stderr, "%s:%d: %s (%d x %d)\n", file, line, what, width, height);
}
