/* Arithmetic over GF(256). Tables are constant: 790 bytes of flash, no RAM. */
#ifndef VULTUS_HEAD_FIELD_H
#define VULTUS_HEAD_FIELD_H

#include <stdint.h>

enum { WORD_BYTES = 255, WORD_DATA = 231, WORD_PARITY = 24, WORD_REPAIRS = 12, WORD_PIECE = 229, WORD_PIECES = 16 };

/* a^i, twice over, so that two logarithms need no reduction; field_log[0] means nothing. */
extern const uint8_t field_power[510];
extern const uint8_t field_log[256];
/* Logarithms of the generator's coefficients below the leading one, from x^23 down; none of them is 0. */
extern const uint8_t field_generator_log[WORD_PARITY];

static inline uint8_t field_times(uint8_t a, uint8_t b)
{
    return (uint8_t)(a == 0 || b == 0 ? 0 : field_power[field_log[a] + field_log[b]]);
}

/* a / b; b is not 0. */
static inline uint8_t field_over(uint8_t a, uint8_t b)
{
    return (uint8_t)(a == 0 ? 0 : field_power[field_log[a] + 255 - field_log[b]]);
}

/* Parity of 231 bytes. */
void field_parity(const uint8_t *data, uint8_t parity[WORD_PARITY]);
/* Put up to twelve wrong bytes of a word right; returns how many there were, -1 and nothing changed when it is no word. */
int field_correct(uint8_t word[WORD_BYTES]);

#endif
