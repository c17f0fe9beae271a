#include "libcrypto.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <string.h>

static bool random_bytes(void *user, uint8_t *out, size_t size)
{
    (void)user;
    return size <= INT_MAX && RAND_bytes(out, (int)size) == 1;
}

static bool x25519(void *user, const uint8_t *scalar, const uint8_t *point, uint8_t *out)
{
    (void)user;
    size_t size = VULTUS_HEAD_KEY;
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, VULTUS_HEAD_KEY);
    EVP_PKEY *their = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, VULTUS_HEAD_KEY);
    EVP_PKEY_CTX *c = own != NULL ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    const bool good = c != NULL && their != NULL && EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_derive_set_peer(c, their) == 1 &&
                      EVP_PKEY_derive(c, out, &size) == 1 && size == VULTUS_HEAD_KEY;
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(their);
    EVP_PKEY_free(own);
    return good;
}

static bool sign(void *user, const uint8_t *message, size_t size, uint8_t *signature)
{
    const struct libcrypto *port = user;
    size_t length = VULTUS_HEAD_SIGNATURE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, port->secret, VULTUS_HEAD_KEY);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    const bool good = key != NULL && c != NULL && EVP_DigestSignInit(c, NULL, NULL, NULL, key) == 1 &&
                      EVP_DigestSign(c, signature, &length, message, size) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    return good;
}

static bool verify(void *user, const uint8_t *key, const uint8_t *message, size_t size, const uint8_t *signature)
{
    (void)user;
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, VULTUS_HEAD_KEY);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    const bool good = theirs != NULL && c != NULL && EVP_DigestVerifyInit(c, NULL, NULL, NULL, theirs) == 1 &&
                      EVP_DigestVerify(c, signature, VULTUS_HEAD_SIGNATURE, message, size) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(theirs);
    return good;
}

static bool sha256(void *user, const uint8_t *bytes, size_t size, uint8_t *digest)
{
    (void)user;
    return EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL) == 1;
}

static bool hkdf(void *user, const uint8_t *secret, const uint8_t *salt, const char *info, uint8_t *out, size_t size)
{
    (void)user;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    const bool good = c != NULL && EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_CTX_set_hkdf_md(c, EVP_sha256()) == 1 &&
                      EVP_PKEY_CTX_set1_hkdf_key(c, secret, VULTUS_HEAD_KEY) == 1 &&
                      (salt == NULL || EVP_PKEY_CTX_set1_hkdf_salt(c, salt, VULTUS_HEAD_KEY) == 1) &&
                      EVP_PKEY_CTX_add1_hkdf_info(c, (const uint8_t *)info, (int)strlen(info)) == 1 && EVP_PKEY_derive(c, out, &size) == 1;
    EVP_PKEY_CTX_free(c);
    return good;
}

static bool cipher(bool seals, const uint8_t *key, const uint8_t *nonce, const uint8_t *data, size_t data_size, uint8_t *bytes,
                   size_t size, uint8_t *tag)
{
    int n, rest;
    if (size > INT_MAX || data_size > INT_MAX)
        return false;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool good = c != NULL && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, seals) == 1 &&
                (seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, VULTUS_HEAD_TAG, tag) == 1) &&
                EVP_CipherUpdate(c, NULL, &n, data, (int)data_size) == 1 && EVP_CipherUpdate(c, bytes, &n, bytes, (int)size) == 1 &&
                EVP_CipherFinal_ex(c, bytes + n, &rest) == 1 &&
                (!seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, VULTUS_HEAD_TAG, tag) == 1);
    EVP_CIPHER_CTX_free(c);
    return good;
}

static bool seal(void *user, const uint8_t *key, const uint8_t *nonce, const uint8_t *data, size_t data_size, uint8_t *bytes,
                 size_t size, uint8_t *tag)
{
    (void)user;
    return cipher(true, key, nonce, data, data_size, bytes, size, tag);
}

static bool open_sealed(void *user, const uint8_t *key, const uint8_t *nonce, const uint8_t *data, size_t data_size, uint8_t *bytes,
                        size_t size, const uint8_t *tag)
{
    (void)user;
    uint8_t copy[VULTUS_HEAD_TAG];
    memcpy(copy, tag, sizeof copy);
    return cipher(false, key, nonce, data, data_size, bytes, size, copy);
}

bool libcrypto_init(struct libcrypto *port, const uint8_t *secret)
{
    size_t size = VULTUS_HEAD_KEY;
    memset(port, 0, sizeof *port);
    memcpy(port->secret, secret, VULTUS_HEAD_KEY);
    port->pairing = (struct vultus_head_pairing){.user = port, .random = random_bytes, .x25519 = x25519, .sign = sign, .verify = verify,
                                                 .sha256 = sha256, .hkdf = hkdf, .seal = seal, .open = open_sealed};
    libcrypto_keep_hosts(port);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, VULTUS_HEAD_KEY);
    const bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, port->pairing.identity, &size) == 1;
    EVP_PKEY_free(key);
    return good;
}
