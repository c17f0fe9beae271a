/* The Reed-Solomon code RS(255, 231): syndromes, Berlekamp and Massey's shift register, Chien's search, Forney's values. */
#include "field.h"

#include <string.h>

void field_parity(const uint8_t *data, uint8_t parity[WORD_PARITY])
{
    memset(parity, 0, WORD_PARITY);
    for (int i = 0; i < WORD_DATA; i++) {
        const uint8_t lead = data[i] ^ parity[0];
        memmove(parity, parity + 1, WORD_PARITY - 1);
        parity[WORD_PARITY - 1] = 0;
        if (lead == 0)
            continue;
        const uint8_t *power = field_power + field_log[lead];
        for (int j = 0; j < WORD_PARITY; j++)
            parity[j] ^= power[field_generator_log[j]];
    }
}

/* The word's value at a^1 .. a^24; false when all are 0 and the word is right as it is. */
static int syndromes(const uint8_t *word, uint8_t at[WORD_PARITY])
{
    uint8_t rest[WORD_PARITY], any = 0;
    /* The remainder by the generator has the same values there and is a tenth as long. */
    field_parity(word, rest);
    for (int i = 0; i < WORD_PARITY; i++)
        any |= rest[i] ^= word[WORD_DATA + i];
    if (any == 0)
        return 0;
    for (int i = 0; i < WORD_PARITY; i++) {
        at[i] = 0;
        for (int j = 0; j < WORD_PARITY; j++)
            at[i] = rest[j] ^ field_times(at[i], field_power[i + 1]);
    }
    return 1;
}

/* Find the shortest polynomial, constant first and 1, whose register makes the syndromes; returns its degree. */
static int locate(const uint8_t *at, uint8_t found[WORD_PARITY + 1])
{
    uint8_t before[WORD_PARITY + 1] = {1}, kept[WORD_PARITY + 1], last = 1;
    int degree = 0, since = 1;
    memset(found, 0, WORD_PARITY + 1);
    found[0] = 1;
    for (int n = 0; n < WORD_PARITY; n++, since++) {
        uint8_t gap = at[n];
        for (int i = 1; i <= degree; i++)
            gap ^= field_times(found[i], at[n - i]);
        if (gap == 0)
            continue;
        const uint8_t scale = field_over(gap, last);
        memcpy(kept, found, sizeof kept);
        for (int i = since; i <= WORD_PARITY; i++)
            found[i] ^= field_times(scale, before[i - since]);
        if (2 * degree > n)
            continue;
        degree = n + 1 - degree;
        memcpy(before, kept, sizeof before);
        last = gap;
        since = 0;
    }
    return degree;
}

/* How much the byte at a place is wrong by; `back` is the logarithm of the inverse of its locator. */
static uint8_t wrong_by(const uint8_t *at, const uint8_t *found, int degree, int back)
{
    uint8_t above = 0, below = 0;
    for (int i = 0; i < degree; i++) {
        uint8_t term = 0;
        for (int j = 0; j <= i; j++)
            term ^= field_times(at[i - j], found[j]);
        above ^= field_times(term, field_power[back * i % 255]);
    }
    for (int i = 1; i <= degree; i += 2)
        below ^= field_times(found[i], field_power[back * (i - 1) % 255]);
    return (uint8_t)(below == 0 ? 0 : field_over(above, below));
}

int field_correct(uint8_t word[WORD_BYTES])
{
    uint8_t at[WORD_PARITY], found[WORD_PARITY + 1], by[WORD_REPAIRS], places[WORD_REPAIRS];
    if (!syndromes(word, at))
        return 0;
    const int degree = locate(at, found);
    if (degree > WORD_REPAIRS || found[degree] == 0)
        return -1;
    int roots = 0;
    for (int place = 0; place < WORD_BYTES && roots < degree; place++) {
        /* The locator of byte j is a^(254 - j), its inverse a^(j + 1). */
        const int back = (place + 1) % 255;
        uint8_t sum = 1;
        for (int i = 1, power = back; i <= degree; i++, power = power + back < 255 ? power + back : power + back - 255)
            sum ^= field_times(found[i], field_power[power]);
        if (sum != 0)
            continue;
        places[roots] = (uint8_t)place;
        by[roots] = wrong_by(at, found, degree, back);
        if (by[roots++] == 0)
            return -1;
    }
    if (roots != degree)
        return -1;
    for (int i = 0; i < roots; i++)
        word[places[i]] ^= by[i];
    return roots;
}
