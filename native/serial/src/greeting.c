/* How a session begins, and what is refused (PROTOCOL.md, sections 5 and 8). */
#include "parts.h"

enum { PAIRED = 1, PAIRING = 2, CODED = 2, SEALED_HELLO = 7 + 2 * VULTUS_HEAD_KEY };

static void refuse(struct vultus_head *head, uint32_t session, enum reason reason)
{
    put(head->reply, session, 4);
    head->reply[4] = (uint8_t)reason;
    head->reply_type = REFUSE;
    head->reply_size = 5;
}

/* Say why a session may not begin; 0 when it may. */
static enum reason obstacle(const struct vultus_head *head, const uint8_t *hello)
{
    const struct vultus_head_pairing *p = head->pairing;
    if (hello[4] > 1 || hello[5] < 1)
        return NO_VERSION;
    if ((hello[6] & PAIRED) == 0)
        return head->texts.insecure && (p == NULL || !p->known(p->user, NULL)) ? 0 : PAIRED_ONLY;
    if (p == NULL)
        return NO_PAIRING;
    /* A known host may pair again without the button: it did not hear READY the first time. */
    if (p->known(p->user, hello + 7 + VULTUS_HEAD_KEY))
        return 0;
    if ((hello[6] & PAIRING) == 0)
        return UNKNOWN_HOST;
    return p->ready(p->user) ? 0 : NOT_READY;
}

static void welcome(struct vultus_head *head, uint32_t session, bool sealed)
{
    put(head->reply, session, 4);
    head->reply[4] = 1;
    head->reply[5] = CODED | (sealed ? 1 : 0);
    put(head->reply + 6, VULTUS_HEAD_TAKES, 2);
    put(head->reply + 8, head->on.time_us(head->on.user), 8);
    head->reply_size = 16;
}

void head_hello(struct vultus_head *head, const uint8_t *p, size_t size)
{
    const uint32_t session = size >= 7 ? (uint32_t)get(p, 4) : 0;
    const uint8_t flags = size >= 7 ? p[6] & (PAIRED | PAIRING) : 0;
    const bool sealed = flags != 0;
    if (session == 0 || flags == PAIRING || (sealed && size < SEALED_HELLO)) {
        head->bad++;
        return;
    }
    if (session == head->session && head->sealing.phase != VULTUS_HEAD_UNSEALED) {
        /* The WELCOME still lies in `reply`, byte for byte, until PROVE has come. */
        if (head->sealing.phase == VULTUS_HEAD_PROVING && !head->ends)
            head->reply_type = WELCOME;
        return;
    }
    const enum reason reason = obstacle(head, p);
    if (reason != 0) {
        /* The WELCOME of another host that is about to prove itself is not written over. */
        if (head->sealing.phase != VULTUS_HEAD_PROVING)
            refuse(head, session, reason);
        return;
    }
    if (session != head->session || sealed) {
        head_end(head);
        head->sent = 0;
        head->chunk_bytes = 900;
        head->greeted = head->coded = head->coded_next = false;
    }
    welcome(head, session, sealed);
    if (sealed && !head_welcome(head, p, size)) {
        head_end(head);
        refuse(head, session, NO_KEYS);
        return;
    }
    head->session = session;
    head->reply_type = WELCOME;
    head->heard_us = head->on.time_us(head->on.user);
}
