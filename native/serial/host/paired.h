/* The synthetic head with a port on libcrypto, for tests. */
#ifndef VULTUS_HEAD_PAIRED_H
#define VULTUS_HEAD_PAIRED_H

#include "libcrypto.h"
#include "synthetic.h"

/* Let a synthetic head be paired, under the Ed25519 secret of 32 bytes; NULL when that fails. Free the port after the head. */
struct libcrypto *paired_attach(struct synthetic *s, const uint8_t *secret, int insecure);
void paired_free(struct libcrypto *port);
/* Press the button, or let its time run out. */
void paired_make_ready(struct libcrypto *port, int ready);
unsigned paired_hosts(const struct libcrypto *port);
/* Go on counting packets from here, as if so many had been sent and taken, so that a rotation need not be waited for. */
void paired_count_from(struct synthetic *s, uint64_t sent, uint64_t highest);

#endif
