#include "texts.h"

#include <stdio.h>

int write_capabilities(char *to, size_t size, unsigned width, unsigned height, unsigned rate_hz, int strobe)
{
    static const char stream[] = "%s{\"stream\": \"%s\", \"format\": \"%s\", \"width\": %u, \"height\": %u}";
    static const char *const names[4][2] = {{"rgb", "rgb8"}, {"nir", "grey8"}, {"nir_ambient", "grey8"}, {"depth", "depth16"}};
    int n = snprintf(to, size, "{\"model\": \"Vultus synthetic head\", \"serial\": \"0001\", \"firmware\": \"1\", "
                     "\"rate_hz\": %u, \"strobe\": %s, \"streams\": [", rate_hz, strobe ? "true" : "false");
    for (int i = 0; i < 4; i++)
        n += snprintf(to + n, size - (size_t)n, stream, i > 0 ? ", " : "", names[i][0], names[i][1], width, height);
    return n + snprintf(to + n, size - (size_t)n, "]}");
}

int write_calibration(char *to, size_t size, unsigned width, unsigned height)
{
    return snprintf(to, size, "{\"rgb\": {\"intrinsics\": {\"fx\": %u, \"fy\": %u, \"cx\": %g, \"cy\": %g}}}", width, width,
                    width / 2.0 - 0.5, height / 2.0 - 0.5);
}
