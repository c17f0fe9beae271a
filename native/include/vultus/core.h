/* The native core of Vultus: pixel and vector work on memory that the caller owns.
 *
 * No function allocates, keeps a pointer or touches memory outside what its arguments state. Every function checks its
 * arguments first and returns a vultus_status; with anything but VULTUS_OK no output was written. Every function may be
 * called from any thread. Strides are distances between rows in bytes. A rectangle lies inside its image.
 */
#ifndef VULTUS_CORE_H
#define VULTUS_CORE_H

#include <stdint.h>

/* The part between the marks is also read by cffi: plain declarations, no preprocessor. */
/* binding: begin */

enum vultus_status {
    VULTUS_OK = 0,
    VULTUS_NULL_POINTER = 1,
    VULTUS_BAD_SIZE = 2,
    VULTUS_BAD_STRIDE = 3,
    VULTUS_BAD_RECT = 4,
    VULTUS_BAD_NUMBER = 5,
    VULTUS_UNKNOWN_ISA = 6,
    VULTUS_DEGENERATE = 7
};

/* The sentence that belongs to a status; never NULL. */
const char *vultus_status_text(int status);

/* The ops of the kernel list by index; NULL past the last one. */
const char *vultus_op_name(int op);

/* The ISA whose kernel the op runs at present; NULL past the last op. */
const char *vultus_op_isa(int op);

/* Run no kernel above the named ISA; "best" goes back to the best of this machine.
 * VULTUS_UNKNOWN_ISA, and nothing changed, for a name that is not known or that this machine cannot run. */
int vultus_force_isa(const char *name);

/* binding: end */

#endif
