/* The hosts of a head on libcrypto, in memory; a board writes them to its flash. */
#include "libcrypto.h"

#include <string.h>

static unsigned find(const struct libcrypto *port, const uint8_t *host)
{
    unsigned i = 0;
    while (i < port->count && memcmp(port->hosts[i], host, VULTUS_HEAD_KEY) != 0)
        i++;
    return i;
}

static bool ready(void *user) { return ((struct libcrypto *)user)->ready; }

static bool known(void *user, const uint8_t *host)
{
    const struct libcrypto *port = user;
    return host == NULL ? port->count > 0 : find(port, host) < port->count;
}

static bool remember(void *user, const uint8_t *host)
{
    struct libcrypto *port = user;
    if (port->count == LIBCRYPTO_HOSTS)
        return false;
    memcpy(port->hosts[port->count++], host, VULTUS_HEAD_KEY);
    port->ready = false;
    return true;
}

static bool forget(void *user, const uint8_t *host)
{
    struct libcrypto *port = user;
    const unsigned i = find(port, host);
    if (i < port->count)
        memmove(port->hosts[i], port->hosts[--port->count], VULTUS_HEAD_KEY);
    return true;
}

void libcrypto_keep_hosts(struct libcrypto *port)
{
    port->pairing.ready = ready;
    port->pairing.known = known;
    port->pairing.remember = remember;
    port->pairing.forget = forget;
}
