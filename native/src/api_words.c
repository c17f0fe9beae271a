#include "checks.h"
#include "words.h"

int vultus_word_write(const uint8_t *piece, int size, int number, int pieces, uint8_t *line)
{
    if (piece == NULL || line == NULL)
        return VULTUS_NULL_POINTER;
    if (size < 1 || size > WORD_PIECE)
        return VULTUS_BAD_SIZE;
    VULTUS_CHECK(vultus_check_range(pieces, 1, WORD_PIECES));
    VULTUS_CHECK(vultus_check_range(number, 0, pieces - 1));
    head_word_write(piece, (size_t)size, (unsigned)number, (unsigned)pieces, line);
    return VULTUS_OK;
}

int vultus_word_read(const uint8_t *line, uint8_t *word, int *repaired)
{
    if (line == NULL || word == NULL || repaired == NULL)
        return VULTUS_NULL_POINTER;
    *repaired = head_word_read(line, word);
    return VULTUS_OK;
}
