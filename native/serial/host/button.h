/* What makes the synthetic head of this program one that can be paired; no_button.c where there is no libcrypto. */
#ifndef VULTUS_HEAD_BUTTON_H
#define VULTUS_HEAD_BUTTON_H

#include "synthetic.h"

/* Let the head be paired under a secret of 64 hexadecimal digits; false when it is none, or this program cannot. */
bool button_attach(struct synthetic *s, const char *digits);
/* Make the head ready to be paired if SIGUSR1 came; at the start it is ready. */
void button_look(void);
void button_free(void);

#endif
