/* How a session ends, whoever ends it: nothing of it stays in memory. */
#include "parts.h"

void head_end(struct vultus_head *head)
{
    if (head->streaming)
        head->on.stop(head->on.user);
    head->streaming = 0;
    head_clear(head);
    head->session = 0;
    head->strobe = head->strobe_length = 0;
    head->reply_type = 0;
    head->ends = false;
    head->piece = head->pieces;
    head_wipe(&head->sealing, sizeof head->sealing);
}
