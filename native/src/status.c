#include "vultus/core.h"

const char *vultus_status_text(int status)
{
    switch (status) {
    case VULTUS_OK:
        return "ok";
    case VULTUS_NULL_POINTER:
        return "a pointer is NULL";
    case VULTUS_BAD_SIZE:
        return "a size is negative or above the limit";
    case VULTUS_BAD_STRIDE:
        return "a stride is shorter than its row or not a multiple of the element";
    case VULTUS_BAD_RECT:
        return "a rectangle leaves its image";
    case VULTUS_BAD_NUMBER:
        return "a number is not finite or out of its range";
    case VULTUS_UNKNOWN_ISA:
        return "no such instruction set, or this machine cannot run it";
    default:
        return "unknown status";
    }
}
