/* Bytes of the protocol: CRC, stuffing, little-endian numbers. */
#ifndef VULTUS_HEAD_WIRE_H
#define VULTUS_HEAD_WIRE_H

#include "vultus/serial_head.h"

enum message {
    HELLO = 0x01, WELCOME, REFUSE, PROVE, READY,
    DESCRIBE = 0x10, DESCRIPTION, LINE, LINE_SET, START, STARTED, STOP, STOPPED, STROBE, STROBE_SET, UNPAIR, UNPAIRED,
    CHUNK = 0x20, ACK, PING, PONG, FAULT, BYE
};

/* Of REFUSE and FAULT. */
enum reason { NO_VERSION = 1, PAIRED_ONLY, UNKNOWN_HOST, NOT_READY, WRONG_PROOF, NO_SENSOR, NO_PAIRING, NO_KEYS };

enum { HEADER = 6, CRC = 4 };

/* Add bytes to a CRC-32C; begin with 0. */
uint32_t head_crc(uint32_t crc, const uint8_t *bytes, size_t size);
/* Stuff a packet; `out` has room for size + size / 254 + 1. Returns the stuffed size. */
size_t head_stuff(const uint8_t *packet, size_t size, uint8_t *out);
/* Undo it in place; returns the packet's size, 0 when these bytes are none. */
size_t head_unstuff(uint8_t *bytes, size_t size);
/* Take one byte of the line. Returns the size of a candidate for a packet in `bytes`, 0 when there is none yet; counts into `bad`. */
size_t head_unframe(struct vultus_head_unframer *in, uint8_t byte, uint32_t *bad);
/* Check a packet; returns its type, -1 when it is not valid. `payload` is then `size` bytes. */
int head_check(const uint8_t *bytes, size_t held, uint32_t session, const uint8_t **payload, size_t *size);

static inline void put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

#endif
