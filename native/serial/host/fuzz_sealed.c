/* Gives the sealed core packets that no honest host would send: vultus_serial_fuzz_sealed [packets] [seed]. Run it under sanitizers.
 *
 * It knows the session's keys, so that what it makes up gets past the tag and reaches what lies behind; part of it is spoilt,
 * cut, played again, sealed under the next key, or not sealed at all. */
#include "paired.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static void draw_bytes(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = draw(3) ? 0 : (uint8_t)draw(draw(2) ? 8 : 256);
}

/* Write a HELLO: mostly that of the paired host. */
static size_t greet(uint8_t *p, const struct libcrypto *host)
{
    put(p, draw(40) ? 77 + draw(2) : draw(3), 4);
    put(p + 4, 0x0101, 2);
    p[6] = (uint8_t)(draw(8) ? 1 + 2 * draw(2) : draw(256));
    draw_bytes(p + 7, VULTUS_HEAD_KEY);
    p[7] = 9;
    memcpy(p + 7 + VULTUS_HEAD_KEY, host->pairing.identity, VULTUS_HEAD_KEY);
    if (draw(20) == 0)
        p[7 + VULTUS_HEAD_KEY] ^= 1;
    return draw(30) ? 71 : draw(72);
}

/* Write the proof of the paired host, or one that is not right. */
static size_t prove(uint8_t *p, const struct vultus_head *head, const struct libcrypto *host)
{
    uint8_t claim[52];
    memcpy(claim, "vultus serial 1 host", 20);
    memcpy(claim + 20, head->sealing.transcript, VULTUS_HEAD_KEY);
    host->pairing.sign((void *)(uintptr_t)host, claim, sizeof claim, p);
    if (draw(10) == 0)
        p[draw(64)] ^= 1;
    return draw(20) ? 64 : draw(64);
}

/* Seal a payload as the host would, near the counter that is due. */
static size_t seal(uint8_t *packet, size_t size, const struct vultus_head *head, const struct libcrypto *host)
{
    const struct vultus_head_sealing *s = &head->sealing;
    const struct vultus_head_pairing *p = &host->pairing;
    uint8_t nonce[VULTUS_HEAD_NONCE] = {0}, key[VULTUS_HEAD_KEY];
    const uint64_t counter = s->highest + (draw(6) ? 1 : draw(3000)) - (draw(6) ? 0 : draw(80));
    memcpy(key, s->receiving, sizeof key);
    if (counter >> 16 > s->highest >> 16)
        p->hkdf(NULL, s->receiving, NULL, "vultus serial 1 next", key, sizeof key);
    else if (counter >> 16 < s->highest >> 16)
        memcpy(key, s->before, sizeof key);
    for (unsigned i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(counter >> (56 - 8 * i));
    put(packet + 2, counter & 0xffff, 2);
    put(packet + 4, size + VULTUS_HEAD_TAG, 2);
    p->seal(NULL, key, nonce, packet, HEADER, packet + HEADER, size, packet + HEADER + size);
    return size + VULTUS_HEAD_TAG;
}

/* Write a packet as the line carries it; returns its size. */
static size_t make(uint8_t *out, const struct vultus_head *head, const struct libcrypto *host)
{
    static const uint8_t types[] = {HELLO, PROVE, DESCRIBE, LINE, START, STOP, STROBE, ACK, ACK, ACK, PING, UNPAIR, BYE};
    uint8_t packet[400], number[4];
    uint8_t type = types[draw(sizeof types)];
    if (head->session == 0 && draw(4))
        type = HELLO;
    else if (head->sealing.phase == VULTUS_HEAD_PROVING && draw(4))
        type = PROVE;
    else if ((type == BYE || type == UNPAIR || type == HELLO) && draw(30))
        type = ACK;
    size_t size = draw(8) == 0 ? draw(250) : draw(45);
    draw_bytes(packet + HEADER, size);
    if (type == HELLO)
        size = greet(packet + HEADER, host);
    if (type == PROVE)
        size = prove(packet + HEADER, head, host);
    packet[0] = 1;
    packet[1] = draw(40) ? type : (uint8_t)draw(256);
    put(packet + 2, draw(0x10000), 2);
    put(packet + 4, size, 2);
    if (type != HELLO && head->sealing.phase != VULTUS_HEAD_UNSEALED && draw(20))
        size = seal(packet, size, head, host);
    put(number, packet[1] == HELLO ? 0 : head->session, 4);
    put(packet + HEADER + size, head_crc(head_crc(0, number, 4), packet, HEADER + size), CRC);
    const size_t stuffed = head_stuff(packet, HEADER + size + CRC, out);
    out[stuffed] = 0;
    return stuffed + 1;
}

int main(int count, char **values)
{
    const unsigned long packets = count > 1 ? strtoul(values[1], NULL, 10) : 20000;
    state = count > 2 ? strtoul(values[2], NULL, 10) : 1;
    static const uint8_t secrets[2][VULTUS_HEAD_KEY] = {{1}, {2}};
    struct synthetic *s = synthetic_new(16, 16, 5, 1);
    struct libcrypto *port = s != NULL ? paired_attach(s, secrets[0], 0) : NULL, host;
    uint8_t line[512], again[512], out[4096];
    uint64_t now = 0, sent = 0, proven = 0, turned = 0;
    size_t size, last = 0;
    const bool good = port != NULL && libcrypto_init(&host, secrets[1]);
    for (unsigned long i = 0; good && i < packets; i++) {
        const struct vultus_head *head = synthetic_head(s);
        paired_make_ready(port, draw(3) != 0);
        if (last > 0 && draw(12) == 0)
            memcpy(line, again, size = last);
        else
            memcpy(again, line, last = size = make(line, head, &host));
        if (draw(10) == 0)
            line[draw((uint32_t)size)] = (uint8_t)draw(256);
        if (draw(20) == 0)
            size = draw((uint32_t)size + 1);
        synthetic_feed(s, line, size);
        now += draw(300) == 0 ? 4000000 : draw(20000);
        sent += synthetic_step(s, now, out, draw(sizeof out));
        proven += head->sealing.phase == VULTUS_HEAD_PROVEN;
        turned += head->sealing.highest > 0xffff;
    }
    printf("ok %lu packets, %llu in proven sessions, %llu after a rotation, %llu bytes sent\n", packets, (unsigned long long)proven,
           (unsigned long long)turned, (unsigned long long)sent);
    synthetic_free(s);
    paired_free(port);
    return proven == 0 || sent == 0;
}
