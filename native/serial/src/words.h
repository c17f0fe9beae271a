/* Coded words (PROTOCOL.md, section 3.2): what both sides share, and how a receiver finds them on the line. */
#ifndef VULTUS_HEAD_WORDS_H
#define VULTUS_HEAD_WORDS_H

#include "field.h"
#include "vultus/serial_head.h"

enum { WORD_LINE = WORD_BYTES + 1 };

/* Write piece `number` of `pieces`, `size` bytes of at most 229, as the 256 bytes that go over the line. */
void head_word_write(const uint8_t *piece, size_t size, unsigned number, unsigned pieces, uint8_t line[WORD_LINE]);
/* Read 255 bytes of the line: `word` then holds 0, piece and pieces, 229 bytes, parity. Returns the number of bytes put right, -1: no word. */
int head_word_read(const uint8_t line[WORD_BYTES], uint8_t word[WORD_BYTES]);
/* Take one byte of the line. Returns the size of a candidate for a packet in `packet`, 0 when there is none yet; counts into `bad`. */
size_t head_word_take(struct vultus_head_words *in, uint8_t byte, uint32_t *bad);

#endif
