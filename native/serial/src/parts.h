/* What the parts of the core call of each other. */
#ifndef VULTUS_HEAD_PARTS_H
#define VULTUS_HEAD_PARTS_H

#include "wire.h"

/* Act on one valid packet. */
void head_act(struct vultus_head *head, int type, const uint8_t *payload, size_t size);
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
