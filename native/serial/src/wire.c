#include "wire.h"

#include <string.h>

uint32_t head_crc(uint32_t crc, const uint8_t *bytes, size_t size)
{
    /* CRC-32C by half bytes: 64 bytes of table, for small processors. */
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

size_t head_stuff(const uint8_t *packet, size_t size, uint8_t *out)
{
    size_t code = 0, at = 1;
    bool full = false;
    for (size_t i = 0; i < size; i++) {
        full = false;
        if (packet[i] != 0)
            out[at++] = packet[i];
        if (packet[i] == 0 || at - code == 255) {
            full = packet[i] != 0;
            out[code] = (uint8_t)(at - code);
            code = at++;
        }
    }
    if (full) /* the run that ends the packet says so itself */
        return code;
    out[code] = (uint8_t)(at - code);
    return at;
}

size_t head_unstuff(uint8_t *bytes, size_t size)
{
    size_t from = 0, to = 0;
    while (from < size) {
        const size_t code = bytes[from], end = from + code;
        if (code == 0 || end > size)
            return 0;
        memmove(bytes + to, bytes + from + 1, code - 1);
        to += code - 1;
        from = end;
        if (from < size && code != 255)
            bytes[to++] = 0;
    }
    return to;
}

size_t head_unframe(struct vultus_head_unframer *in, uint8_t byte, uint32_t *bad)
{
    if (byte != 0) {
        if (in->flooded)
            return 0;
        if (in->held == sizeof in->bytes) {
            in->flooded = true;
            ++*bad;
            return 0;
        }
        in->bytes[in->held++] = byte;
        return 0;
    }
    const size_t held = in->flooded ? 0 : in->held;
    in->held = 0;
    in->flooded = false;
    if (held == 0)
        return 0;
    const size_t size = head_unstuff(in->bytes, held);
    *bad += size == 0;
    return size;
}

int head_check(const uint8_t *bytes, size_t held, uint32_t session, const uint8_t **payload, size_t *size)
{
    if (held < HEADER + CRC || bytes[0] != 1 || get(bytes + 4, 2) != held - HEADER - CRC)
        return -1;
    uint8_t number[4];
    put(number, bytes[1] == HELLO ? 0 : session, 4);
    if (head_crc(head_crc(0, number, 4), bytes, held - CRC) != get(bytes + held - CRC, 4))
        return -1;
    *payload = bytes + HEADER;
    *size = held - HEADER - CRC;
    return bytes[1];
}
