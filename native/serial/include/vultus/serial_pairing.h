/* What a board gives the core for paired sessions (PROTOCOL.md, section 8): its store of hosts and its cryptography.
 *
 * The head's own Ed25519 secret never comes here: the board signs. Each function returns false when it failed, and then the
 * core ends or refuses the session; it never goes on without sealing. */
#ifndef VULTUS_SERIAL_PAIRING_H
#define VULTUS_SERIAL_PAIRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VULTUS_HEAD_KEY = 32,       /* every key and the shared secret; also what SHA-256 gives */
    VULTUS_HEAD_SIGNATURE = 64,
    VULTUS_HEAD_TAG = 16,
    VULTUS_HEAD_NONCE = 12
};

struct vultus_head_pairing {
    void *user;
    uint8_t identity[VULTUS_HEAD_KEY]; /* the head's Ed25519 public key */
    /* Its owner has made the head ready to be paired. */
    bool (*ready)(void *user);
    /* This host is paired; NULL asks whether any host is. */
    bool (*known)(void *user, const uint8_t *host);
    /* Store a host so that it outlasts the power, and be no longer ready: one pairing for each press of the button. */
    bool (*remember)(void *user, const uint8_t *host);
    /* Forget a host; one that is not known is forgotten already. */
    bool (*forget)(void *user, const uint8_t *host);
    /* Fill with random bytes fit for keys. */
    bool (*random)(void *user, uint8_t *out, size_t size);
    /* The function X25519 of RFC 7748, section 5; also for public keys, with the point 9. */
    bool (*x25519)(void *user, const uint8_t *scalar, const uint8_t *point, uint8_t *out);
    /* Ed25519 with the head's own key (RFC 8032). */
    bool (*sign)(void *user, const uint8_t *message, size_t size, uint8_t *signature);
    bool (*verify)(void *user, const uint8_t *key, const uint8_t *message, size_t size, const uint8_t *signature);
    bool (*sha256)(void *user, const uint8_t *bytes, size_t size, uint8_t *digest);
    /* HKDF-SHA-256 (RFC 5869) of 32 bytes; `salt` has 32 bytes or is NULL, `info` ends in a zero byte that does not count. */
    bool (*hkdf)(void *user, const uint8_t *secret, const uint8_t *salt, const char *info, uint8_t *out, size_t size);
    /* AES-256-GCM in place; `data` is authenticated only. `open` returns false for a wrong tag. */
    bool (*seal)(void *user, const uint8_t *key, const uint8_t *nonce, const uint8_t *data, size_t data_size, uint8_t *bytes,
                 size_t size, uint8_t *tag);
    bool (*open)(void *user, const uint8_t *key, const uint8_t *nonce, const uint8_t *data, size_t data_size, uint8_t *bytes,
                 size_t size, const uint8_t *tag);
};

enum vultus_head_phase {
    VULTUS_HEAD_UNSEALED,
    VULTUS_HEAD_PROVING,  /* WELCOME went out, the host has proved nothing */
    VULTUS_HEAD_PROVEN,
    VULTUS_HEAD_FORGOTTEN /* unpaired: nothing is answered but UNPAIR */
};

struct vultus_head_sealing {
    enum vultus_head_phase phase;
    bool pairing;                   /* the host wants to be paired in this session */
    uint8_t host[VULTUS_HEAD_KEY], transcript[VULTUS_HEAD_KEY];
    uint8_t sending[VULTUS_HEAD_KEY], receiving[VULTUS_HEAD_KEY];
    uint8_t before[VULTUS_HEAD_KEY]; /* the last key of the host, for packets that were overtaken by the new one */
    uint64_t rotations;             /* of the sending key */
    uint64_t highest, taken;        /* highest counter taken; bit i: highest - i was taken */
};

#endif
