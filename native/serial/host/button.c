#define _POSIX_C_SOURCE 200809L
#include "button.h"
#include "paired.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t pressed;
static struct libcrypto *port;

static void press(int number)
{
    (void)number;
    pressed = 1;
}

bool button_attach(struct synthetic *s, const char *digits)
{
    uint8_t secret[VULTUS_HEAD_KEY];
    if (strlen(digits) != 2 * sizeof secret)
        return false;
    for (size_t i = 0; i < sizeof secret; i++) {
        unsigned value;
        if (sscanf(digits + 2 * i, "%2x", &value) != 1)
            return false;
        secret[i] = (uint8_t)value;
    }
    struct sigaction action = {.sa_handler = press};
    pressed = 1;
    port = paired_attach(s, secret, 0);
    return port != NULL && sigaction(SIGUSR1, &action, NULL) == 0;
}

void button_look(void)
{
    if (port != NULL && pressed != 0)
        paired_make_ready(port, 1);
    pressed = 0;
}

void button_free(void) { paired_free(port); }
