/* Paired sessions: keys, proofs, pairing and unpairing (PROTOCOL.md, section 8). */
#include "parts.h"

#include <string.h>

enum { OPEN_WELCOME = 16, SIGNED_WELCOME = OPEN_WELCOME + 2 * VULTUS_HEAD_KEY, LABEL = 20 };

void head_wipe(void *bytes, size_t size)
{
    volatile uint8_t *at = bytes;
    while (size-- > 0)
        *at++ = 0;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;
    while (size-- > 0)
        any |= *bytes++;
    return any == 0;
}

/* Hash what both sides have said; `packet` is free while a message is acted on. */
static bool transcribe(struct vultus_head *head, const uint8_t *hello, size_t size)
{
    static const uint8_t label[] = "vultus serial 1 paired";
    uint8_t *at = head->packet;
    memcpy(at, label, sizeof label - 1);
    at += sizeof label - 1;
    put(at, size, 2);
    memcpy(at + 2, hello, size);
    at += 2 + size;
    put(at, SIGNED_WELCOME, 2);
    memcpy(at + 2, head->reply, SIGNED_WELCOME);
    at += 2 + SIGNED_WELCOME;
    return head->pairing->sha256(head->pairing->user, head->packet, (size_t)(at - head->packet), head->sealing.transcript);
}

/* Write what a side signs. */
static void write_claim(uint8_t *claim, const char *label, const uint8_t *transcript)
{
    memcpy(claim, label, LABEL);
    memcpy(claim + LABEL, transcript, VULTUS_HEAD_KEY);
}

/* Agree on a secret; writes the ephemeral key of the head to `own`. */
static bool agree(const struct vultus_head_pairing *p, const uint8_t *theirs, uint8_t *own, uint8_t *shared)
{
    static const uint8_t base[VULTUS_HEAD_KEY] = {9};
    uint8_t scalar[VULTUS_HEAD_KEY];
    const bool good = p->random(p->user, scalar, sizeof scalar) && p->x25519(p->user, scalar, base, own) &&
                      p->x25519(p->user, scalar, theirs, shared) && !is_zero(shared, VULTUS_HEAD_KEY);
    head_wipe(scalar, sizeof scalar);
    return good;
}

bool head_welcome(struct vultus_head *head, const uint8_t *hello, size_t size)
{
    const struct vultus_head_pairing *p = head->pairing;
    struct vultus_head_sealing *s = &head->sealing;
    uint8_t shared[VULTUS_HEAD_KEY], keys[2 * VULTUS_HEAD_KEY], claim[LABEL + VULTUS_HEAD_KEY];
    memcpy(head->reply + OPEN_WELCOME + VULTUS_HEAD_KEY, p->identity, VULTUS_HEAD_KEY);
    memcpy(s->host, hello + 7 + VULTUS_HEAD_KEY, VULTUS_HEAD_KEY);
    bool good = agree(p, hello + 7, head->reply + OPEN_WELCOME, shared) && transcribe(head, hello, size);
    if (good) {
        write_claim(claim, "vultus serial 1 head", s->transcript);
        good = p->sign(p->user, claim, sizeof claim, head->reply + SIGNED_WELCOME) &&
               p->hkdf(p->user, shared, s->transcript, "vultus serial 1 keys", keys, sizeof keys);
    }
    if (good) {
        memcpy(s->receiving, keys, VULTUS_HEAD_KEY);
        memcpy(s->sending, keys + VULTUS_HEAD_KEY, VULTUS_HEAD_KEY);
        s->pairing = (hello[6] & 2) != 0;
        s->phase = VULTUS_HEAD_PROVING;
        head->reply_size = SIGNED_WELCOME + VULTUS_HEAD_SIGNATURE;
    }
    head_wipe(shared, sizeof shared);
    head_wipe(keys, sizeof keys);
    return good;
}

static void fault(struct vultus_head *head, enum reason reason)
{
    head->reply_type = FAULT;
    head->reply_size = 1;
    head->reply[0] = (uint8_t)reason;
    head->ends = true;
}

/* Say why a proof is not enough; 0 when it is. A host that is to be paired is stored here. */
static enum reason judge(struct vultus_head *head, const uint8_t *signature)
{
    const struct vultus_head_pairing *p = head->pairing;
    const struct vultus_head_sealing *s = &head->sealing;
    uint8_t claim[LABEL + VULTUS_HEAD_KEY];
    write_claim(claim, "vultus serial 1 host", s->transcript);
    if (!p->verify(p->user, s->host, claim, sizeof claim, signature))
        return WRONG_PROOF;
    if (p->known(p->user, s->host))
        return 0;
    if (!s->pairing)
        return UNKNOWN_HOST;
    return p->ready(p->user) && p->remember(p->user, s->host) ? 0 : NOT_READY;
}

void head_prove(struct vultus_head *head, const uint8_t *payload, size_t size)
{
    if (head->ends)
        return;
    if (size < VULTUS_HEAD_SIGNATURE) {
        head->bad++;
        return;
    }
    if (head->sealing.phase == VULTUS_HEAD_PROVING) {
        const enum reason reason = judge(head, payload);
        if (reason != 0) {
            fault(head, reason);
            return;
        }
        head->sealing.phase = VULTUS_HEAD_PROVEN;
    }
    head->reply_type = READY;
    head->reply_size = 0;
}

void head_unpair(struct vultus_head *head, const uint8_t *payload)
{
    const struct vultus_head_pairing *p = head->pairing;
    if (head->sealing.phase == VULTUS_HEAD_UNSEALED || !p->forget(p->user, head->sealing.host))
        return;
    if (head->streaming)
        head->on.stop(head->on.user);
    head->streaming = 0;
    head_clear(head);
    head->sealing.phase = VULTUS_HEAD_FORGOTTEN;
    head->reply_type = UNPAIRED;
    head->reply_size = 1;
    head->reply[0] = payload[0];
}
