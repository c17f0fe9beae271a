/* The synthetic head on standard input and output, which may be a pseudo-terminal: vultus_synthetic_head [width height rate strobe [secret]].
 *
 * With a secret, 64 hexadecimal digits, it speaks to paired hosts alone; it is ready to be paired at its start and again after SIGUSR1. */
#define _POSIX_C_SOURCE 200809L
#include "button.h"
#include "synthetic.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static unsigned argument(int count, char **values, int which, unsigned otherwise)
{
    return count > which ? (unsigned)strtoul(values[which], NULL, 10) : otherwise;
}

int main(int count, char **values)
{
    const unsigned width = argument(count, values, 1, 320), height = argument(count, values, 2, 240);
    struct synthetic *s = synthetic_new(width, height, argument(count, values, 3, 5), (int)argument(count, values, 4, 1));
    uint8_t in[2048], out[8192];
    size_t held = 0, sent = 0;
    if (count > 5 && s != NULL && !button_attach(s, values[5])) {
        synthetic_free(s);
        return 2;
    }
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    fcntl(1, F_SETFL, fcntl(1, F_GETFL) | O_NONBLOCK);
    while (s != NULL) {
        struct pollfd wait[2] = {{.fd = 0, .events = POLLIN}, {.fd = 1, .events = POLLOUT}};
        poll(wait, sent < held ? 2 : 1, 2);
        button_look();
        const ssize_t came = read(0, in, sizeof in);
        /* EIO: nobody holds the other end of the pseudo-terminal yet. */
        if (came == 0 || (came < 0 && errno != EAGAIN && errno != EINTR && errno != EIO))
            break;
        if (came < 0 && errno == EIO)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        if (came > 0)
            synthetic_feed(s, in, (size_t)came);
        if (sent == held) {
            held = synthetic_step(s, now_us(), out, sizeof out);
            sent = 0;
        }
        const ssize_t went = sent < held ? write(1, out + sent, held - sent) : 0;
        if (went > 0)
            sent += (size_t)went;
        else if (went < 0 && errno == EIO)
            sent = held;
        else if (went < 0 && errno != EAGAIN && errno != EINTR)
            break;
    }
    synthetic_free(s);
    button_free();
    return 0;
}
