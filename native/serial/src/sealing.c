/* Sealed packets: counters, the window of those taken, and keys that follow one another (PROTOCOL.md, section 8). */
#include "parts.h"

#include <string.h>

enum { WINDOW = 64, ROTATION_BITS = 16 };

/* The nonce: four zero bytes and the counter, highest byte first. */
static void write_nonce(uint8_t *nonce, uint64_t counter)
{
    memset(nonce, 0, 4);
    for (unsigned i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(counter >> (56 - 8 * i));
}

static bool next_key(const struct vultus_head_pairing *p, const uint8_t *key, uint8_t *next)
{
    return p->hkdf(p->user, key, NULL, "vultus serial 1 next", next, VULTUS_HEAD_KEY);
}

bool head_seal(struct vultus_head *head, uint8_t *packet, size_t size)
{
    const struct vultus_head_pairing *p = head->pairing;
    struct vultus_head_sealing *s = &head->sealing;
    uint8_t nonce[VULTUS_HEAD_NONCE], next[VULTUS_HEAD_KEY];
    if (head->sent >> ROTATION_BITS != s->rotations) {
        if (!next_key(p, s->sending, next))
            return false;
        memcpy(s->sending, next, sizeof next);
        head_wipe(next, sizeof next);
        s->rotations++;
    }
    write_nonce(nonce, head->sent);
    uint8_t *payload = packet + HEADER;
    return p->seal(p->user, s->sending, nonce, packet, HEADER, payload, size - VULTUS_HEAD_TAG, payload + size - VULTUS_HEAD_TAG);
}

/* Find the counter nearest to the highest taken; false for one that was taken, is too old, or cannot be. */
static bool count(const struct vultus_head_sealing *s, uint16_t sequence, uint64_t *counter)
{
    const uint16_t ahead = (uint16_t)(sequence - (uint16_t)s->highest);
    if (ahead < 0x8000) {
        *counter = s->highest + ahead;
        return ahead > 0 || (s->taken & 1) == 0;
    }
    const uint32_t behind = 0x10000u - ahead;
    if (behind >= WINDOW || behind > s->highest || (s->taken >> behind & 1) != 0)
        return false;
    *counter = s->highest - behind;
    return true;
}

/* Note a counter whose packet was genuine, and follow the host's key. */
static void note(struct vultus_head_sealing *s, uint64_t counter, const uint8_t *key)
{
    if (counter <= s->highest) {
        s->taken |= (uint64_t)1 << (s->highest - counter);
        return;
    }
    if (counter >> ROTATION_BITS != s->highest >> ROTATION_BITS) {
        memcpy(s->before, s->receiving, sizeof s->before);
        memcpy(s->receiving, key, sizeof s->receiving);
    }
    /* From here on the window reaches no packet under the key before. */
    if ((counter & 0xffff) >= WINDOW - 1)
        head_wipe(s->before, sizeof s->before);
    s->taken = counter - s->highest < WINDOW ? s->taken << (counter - s->highest) | 1 : 1;
    s->highest = counter;
}

bool head_open(struct vultus_head *head, uint8_t *packet, size_t *size)
{
    const struct vultus_head_pairing *p = head->pairing;
    struct vultus_head_sealing *s = &head->sealing;
    uint8_t nonce[VULTUS_HEAD_NONCE], next[VULTUS_HEAD_KEY], *payload = packet + HEADER;
    uint64_t counter;
    if (*size < VULTUS_HEAD_TAG || !count(s, (uint16_t)get(packet + 2, 2), &counter))
        return false;
    const uint64_t turn = counter >> ROTATION_BITS, now = s->highest >> ROTATION_BITS;
    const uint8_t *key = turn < now ? s->before : s->receiving;
    if (turn > now) {
        if (!next_key(p, s->receiving, next))
            return false;
        key = next;
    }
    write_nonce(nonce, counter);
    const size_t bytes = *size - VULTUS_HEAD_TAG;
    const bool good = p->open(p->user, key, nonce, packet, HEADER, payload, bytes, payload + bytes);
    if (good) {
        note(s, counter, key);
        *size = bytes;
    }
    head_wipe(next, sizeof next);
    return good;
}
