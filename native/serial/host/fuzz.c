/* Gives the core bytes that no host would send: vultus_serial_fuzz [packets] [seed]. Run it under sanitizers.
 *
 * Well-formed packets of random type and content, in either framing, so that the check lets them in, and packets cut, changed and
 * in pieces that do not belong together. */
#include "synthetic.h"
#include "wire.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

/* Write a packet in coded words, now and then with pieces that lie about themselves; returns the size. */
static size_t make_words(const uint8_t *packet, size_t size, uint8_t *out)
{
    const size_t pieces = (size + WORD_PIECE - 1) / WORD_PIECE;
    const unsigned said = draw(12) == 0 ? 1 + draw(16) : (unsigned)pieces;
    for (size_t i = 0; i < pieces; i++) {
        const size_t left = size - i * WORD_PIECE;
        const unsigned number = draw(12) == 0 ? draw(16) : (unsigned)i;
        head_word_write(packet + i * WORD_PIECE, left < WORD_PIECE ? left : WORD_PIECE, number, said, out + i * WORD_LINE);
        for (uint32_t wrong = draw(3) == 0 ? draw(15) : 0; wrong > 0; wrong--)
            out[i * WORD_LINE + draw(WORD_LINE)] ^= (uint8_t)draw(256);
    }
    return pieces * WORD_LINE;
}

/* Write a packet as the line carries it; returns its size. */
static size_t make(uint8_t *out, uint32_t session)
{
    static const uint8_t types[] = {HELLO, DESCRIBE, LINE, START, STOP, STROBE, ACK, ACK, ACK, PING};
    uint8_t packet[400], number[4];
    const uint8_t type = draw(20) == 0 ? (uint8_t)draw(256) : types[draw(sizeof types)];
    size_t size = draw(8) == 0 ? draw(300) : draw(45);
    for (size_t i = 0; i < size; i++)
        packet[HEADER + i] = draw(3) ? 0 : (uint8_t)draw(draw(2) ? 8 : 256);
    if (type == HELLO && draw(4) != 0) {
        size = 7;
        put(packet + HEADER, session, 4);
        put(packet + HEADER + 4, 0x000101, 3);
    }
    packet[0] = 1;
    packet[1] = type;
    put(packet + 2, 0, 2);
    put(packet + 4, size, 2);
    put(number, type == HELLO ? 0 : session, 4);
    put(packet + HEADER + size, head_crc(head_crc(0, number, 4), packet, HEADER + size), CRC);
    if (draw(3) == 0)
        return make_words(packet, HEADER + size + CRC, out);
    const size_t stuffed = head_stuff(packet, HEADER + size + CRC, out);
    out[stuffed] = 0;
    return stuffed + 1;
}

int main(int count, char **values)
{
    const unsigned long packets = count > 1 ? strtoul(values[1], NULL, 10) : 20000;
    state = count > 2 ? strtoul(values[2], NULL, 10) : 1;
    struct synthetic *s = synthetic_new(16, 16, 5, 1);
    uint8_t line[2 * WORD_LINE], out[4096];
    uint64_t now = 0, sent = 0;
    for (unsigned long i = 0; s != NULL && i < packets; i++) {
        size_t size = make(line, draw(30) == 0 ? draw(5) : 77);
        if (draw(4) == 0)
            line[draw((uint32_t)size)] = (uint8_t)draw(256);
        if (draw(12) == 0)
            size = draw((uint32_t)size + 1);
        synthetic_feed(s, line, size);
        now += draw(300) == 0 ? 4000000 : draw(20000);
        sent += synthetic_step(s, now, out, draw(sizeof out));
    }
    printf("ok %lu packets, %lu bad, %llu bytes sent\n", packets, (unsigned long)(s != NULL ? synthetic_bad(s) : 0), (unsigned long long)sent);
    synthetic_free(s);
    return s == NULL || sent == 0;
}
