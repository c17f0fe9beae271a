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
/* Take in an acknowledgement. */
void head_acknowledged(struct vultus_head *head, const uint8_t *payload, size_t size);
/* Write the payload of the chunk that should go next under `sequence`; 0 when there is none. */
size_t head_chunk(struct vultus_head *head, uint8_t *payload, uint64_t now);

#endif
