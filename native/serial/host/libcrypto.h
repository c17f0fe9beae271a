/* A port for paired sessions on OpenSSL's libcrypto, with hosts in memory: for tests on a host, and an example for boards. */
#ifndef VULTUS_HEAD_LIBCRYPTO_H
#define VULTUS_HEAD_LIBCRYPTO_H

#include "vultus/serial_head.h"

enum { LIBCRYPTO_HOSTS = 4 };

struct libcrypto {
    struct vultus_head_pairing pairing;
    uint8_t secret[VULTUS_HEAD_KEY]; /* the head's Ed25519 secret: a board keeps it where nothing reads it */
    uint8_t hosts[LIBCRYPTO_HOSTS][VULTUS_HEAD_KEY];
    unsigned count;
    bool ready;
};

/* Let the port keep its hosts in memory. */
void libcrypto_keep_hosts(struct libcrypto *port);
/* Make a port with the Ed25519 secret of a head; false when libcrypto refuses. */
bool libcrypto_init(struct libcrypto *port, const uint8_t *secret);

#endif
