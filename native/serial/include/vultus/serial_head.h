/* The head's side of the serial head protocol (PROTOCOL.md): no allocation, no globals, the caller's memory and callbacks.
 *
 * Call vultus_head_init once, then vultus_head_poll as often as the line needs it, from one context. Callbacks are called
 * from there alone. Frames are handed over with vultus_head_offer and belong to the core until `released` gives them back. */
#ifndef VULTUS_SERIAL_HEAD_H
#define VULTUS_SERIAL_HEAD_H

#include "vultus/serial_pairing.h"

enum {
    VULTUS_HEAD_PAYLOAD = 1024,     /* longest payload of the protocol */
    VULTUS_HEAD_PACKET = 1034,      /* with header and CRC */
    VULTUS_HEAD_STUFFED = 1042,     /* stuffed */
    VULTUS_HEAD_TAKES = 256,        /* longest payload that this head takes */
    VULTUS_HEAD_WINDOW = 256,       /* chunks in flight */
    VULTUS_HEAD_FRAMES = 8,         /* frames in flight: two sets of four */
    VULTUS_HEAD_FRAME_HEADER = 32
};

enum vultus_head_stream { VULTUS_HEAD_RGB = 0, VULTUS_HEAD_NIR = 1, VULTUS_HEAD_DEPTH = 3 };
enum vultus_head_format { VULTUS_HEAD_RGB8 = 0, VULTUS_HEAD_GREY8 = 1, VULTUS_HEAD_GREY16 = 2, VULTUS_HEAD_DEPTH16 = 3 };

/* Little-endian pixels, row by row, no padding; they may not change until released. */
struct vultus_head_frame {
    uint8_t stream, exposure, format;
    bool lit, last;
    uint16_t width, height;
    uint32_t set;
    uint64_t time_us;
    uint32_t strobe;          /* number and position that vultus_head_strobe told */
    uint16_t strobe_position;
    const uint8_t *pixels;
};

struct vultus_head_callbacks {
    void *user;
    /* Take up to `size` bytes for the line; returns how many were taken, 0 when it is busy. Never waits. */
    size_t (*send)(void *user, const uint8_t *bytes, size_t size);
    /* Bring up to `size` bytes that came in; returns how many. Never waits. */
    size_t (*receive)(void *user, uint8_t *bytes, size_t size);
    /* Microseconds on a clock that never runs backwards. */
    uint64_t (*time_us)(void *user);
    /* Start the streams of the mask; returns those that will come and may change the time between sets. */
    uint8_t (*start)(void *user, uint8_t streams, uint32_t *period_us);
    void (*stop)(void *user);
    /* The core no longer needs a frame's pixels. */
    void (*released)(void *user, const struct vultus_head_frame *frame);
};

struct vultus_head_texts {
    const char *capabilities, *calibration; /* JSON; they stay where they are */
    uint16_t capabilities_size, calibration_size;
    bool strobe;
    bool insecure; /* take sessions that are not sealed, as long as no host is paired: anyone on the line gets the pictures */
};

struct vultus_head_unframer {
    uint16_t held;
    bool flooded;
    uint8_t bytes[VULTUS_HEAD_TAKES + 32];
};

/* Coded words: what came last, and the pieces of a packet; two hold the longest that this head takes. */
struct vultus_head_words {
    uint16_t held;
    uint8_t next, pieces;
    uint8_t line[256];
    uint8_t packet[2 * 229];
};

struct vultus_head_queued {
    struct vultus_head_frame frame;
    uint32_t first, count, size;
    uint8_t header[VULTUS_HEAD_FRAME_HEADER];
};

struct vultus_head {
    struct vultus_head_callbacks on;
    struct vultus_head_texts texts;
    const struct vultus_head_pairing *pairing; /* NULL: this head cannot be paired */
    struct vultus_head_sealing sealing;
    struct vultus_head_unframer unframer;
    struct vultus_head_words words;
    uint64_t heard_us, told_us;     /* last valid packet; last acknowledgement that told something new */
    uint64_t strobe_bits;
    uint64_t sent;                  /* packets sent in this session: the low 16 bits are the sequence */
    uint32_t session, strobe, strobe_first, sets, bad;
    uint32_t next, lowest, limit;   /* next new chunk; lowest not acknowledged; credit */
    uint32_t queued;                /* chunks of all frames handed over since START */
    uint16_t chunk_bytes;
    uint16_t out_size, out_sent, packet_size;
    uint8_t piece, pieces;          /* of the packet that goes out in coded words */
    bool coded, coded_next;         /* framing in use, and after the next LINE_SET */
    uint8_t strobe_length, frames, streaming;
    bool greeted;                   /* the zero byte before the first packet was sent */
    bool ends;                      /* the session ends with the answer that waits */
    uint16_t sent_as[VULTUS_HEAD_WINDOW];
    uint8_t state[VULTUS_HEAD_WINDOW]; /* of each chunk in flight: waiting, come, lost */
    struct vultus_head_queued queue[VULTUS_HEAD_FRAMES];
    uint8_t reply_type, reply_size;     /* the one answer that waits for the line; type 0: none */
    uint8_t reply[224];
    uint8_t packet[VULTUS_HEAD_PACKET];
    uint8_t out[VULTUS_HEAD_STUFFED + 2];
};

_Static_assert(sizeof(struct vultus_head) < 16 * 1024, "the core needs less than 16 KiB beside the frames");

/* `texts` are copied, what they point to is not. */
void vultus_head_init(struct vultus_head *head, const struct vultus_head_callbacks *on, const struct vultus_head_texts *texts);
/* Let the head be paired; call it once after vultus_head_init. What it points to stays where it is. */
void vultus_head_pair(struct vultus_head *head, const struct vultus_head_pairing *pairing);
/* End the session at once; call it after the owner made the head forget its hosts. */
void vultus_head_drop(struct vultus_head *head);
/* Take in what came, answer, and send what the line takes. Returns true while there is more to send. */
bool vultus_head_poll(struct vultus_head *head);
/* True while a host wants frames. */
bool vultus_head_streaming(const struct vultus_head *head);
/* Room for so many frames; take a new set only when all of it fits. */
unsigned vultus_head_room(const struct vultus_head *head);
/* What the next frame set is to do: returns true when its first NIR exposure is the lit one. */
bool vultus_head_strobe(const struct vultus_head *head, uint32_t *number, uint16_t *position);
/* Hand over a frame; false when there is no room, nobody wants it, or its numbers are impossible. */
bool vultus_head_offer(struct vultus_head *head, const struct vultus_head_frame *frame);

#endif
