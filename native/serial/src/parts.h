/* What the parts of the core call of each other. */
#ifndef VULTUS_HEAD_PARTS_H
#define VULTUS_HEAD_PARTS_H

#include "wire.h"

/* Act on one valid packet. */
void head_act(struct vultus_head *head, int type, const uint8_t *payload, size_t size);
/* Begin a session, answer again, or refuse. */
void head_hello(struct vultus_head *head, const uint8_t *payload, size_t size);
/* Make the keys of a sealed session and its WELCOME; `reply` holds the first 16 bytes. False when that fails: nothing was begun. */
bool head_welcome(struct vultus_head *head, const uint8_t *hello, size_t size);
/* Act on the messages of a paired session: PROVE and UNPAIR. */
void head_prove(struct vultus_head *head, const uint8_t *payload, size_t size);
void head_unpair(struct vultus_head *head, const uint8_t *payload);
/* Encrypt the payload of `packet` in place, tag behind it; the header says already that it has `size` bytes with the tag. */
bool head_seal(struct vultus_head *head, uint8_t *packet, size_t size);
/* Decrypt the payload of `packet` in place; takes the tag off `size`. False for what is not to be taken. */
bool head_open(struct vultus_head *head, uint8_t *packet, size_t *size);
/* Overwrite what may not stay in memory. */
void head_wipe(void *bytes, size_t size);
/* End the session: stop the sensor, give back the frames. */
void head_end(struct vultus_head *head);
/* Give back all frames and begin to count chunks anew. */
void head_clear(struct vultus_head *head);
/* Frame the packet of `size` bytes that lies in `packet`. */
void head_frame(struct vultus_head *head, int type, size_t size);
/* Make the next word of that packet; false when there is none. */
bool head_next_word(struct vultus_head *head);
/* Take a byte of the line in one framing; returns the size of a candidate for a packet, 0 when there is none yet. */
size_t head_take(struct vultus_head *head, bool coded, uint8_t byte, uint8_t **packet);
/* Act on LINE and write what LINE_SET says after the request number. */
void head_line(struct vultus_head *head, const uint8_t *request, uint8_t *answer);
/* Take in an acknowledgement. */
void head_acknowledged(struct vultus_head *head, const uint8_t *payload, size_t size);
/* Write the payload of the chunk that should go next under `sequence`; 0 when there is none. */
size_t head_chunk(struct vultus_head *head, uint8_t *payload, uint64_t now);

#endif
