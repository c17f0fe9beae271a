#include "paired.h"

#include <stdlib.h>

struct libcrypto *paired_attach(struct synthetic *s, const uint8_t *secret, int insecure)
{
    struct libcrypto *port = malloc(sizeof *port);
    if (port == NULL || !libcrypto_init(port, secret)) {
        free(port);
        return NULL;
    }
    synthetic_head(s)->texts.insecure = insecure != 0;
    vultus_head_pair(synthetic_head(s), &port->pairing);
    return port;
}

void paired_free(struct libcrypto *port) { free(port); }

void paired_make_ready(struct libcrypto *port, int ready) { port->ready = ready != 0; }

unsigned paired_hosts(const struct libcrypto *port) { return port->count; }

void paired_count_from(struct synthetic *s, uint64_t sent, uint64_t highest)
{
    struct vultus_head *head = synthetic_head(s);
    head->sent = sent;
    head->sealing.rotations = sent >> 16;
    head->sealing.highest = highest;
    head->sealing.taken = 0;
}
