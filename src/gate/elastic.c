/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/elastic.h"

#include <sodium/utils.h>
#include <string.h>
#include <strings.h>

#define ACKNOWLEDGED "{\"acknowledged\":true}\n"

bool elastic_is_bulk(const char *path)
{
    const char *end = strrchr(path, '/');
    return end && !strcmp(end, "/_bulk") && (end == path || !memchr(path + 1, '/', (size_t)(end - path - 1)));
}

const char *elastic_answer(const char *method, const char *path)
{
    /* exact: what is asked at the beginning. The version is that of the last 8.x: the Beats want none older than they are. */
    static const struct {
        const char *path, *answer;
    } exact[] = {
        {"/", "{\"name\":\"vonggac\",\"cluster_name\":\"vonggac\",\"cluster_uuid\":\"vonggac\",\"version\":{\"number\":\"8.19.0\","
              "\"build_flavor\":\"default\",\"build_type\":\"deb\",\"minimum_wire_compatibility_version\":\"7.17.0\","
              "\"minimum_index_compatibility_version\":\"7.0.0\"},\"tagline\":\"You Know, for Search\"}\n"},
        {"/_license", "{\"license\":{\"uid\":\"vonggac\",\"type\":\"basic\",\"mode\":\"basic\",\"status\":\"active\"}}\n"},
        {"/_xpack", "{\"license\":{\"uid\":\"vonggac\",\"type\":\"basic\",\"mode\":\"basic\",\"status\":\"active\"},"
                    "\"features\":{\"ilm\":{\"available\":false,\"enabled\":false}}}\n"},
        {"/_cluster/health", "{\"cluster_name\":\"vonggac\",\"status\":\"green\",\"timed_out\":false,\"number_of_nodes\":1}\n"},
        {"/_cat/health", "0 00:00:00 vonggac green 1 1 0 0 0 0 0 0 - 100.0%\n"},
        {"/_nodes/ingest", "{\"nodes\":{}}\n"},
    };
    /* below these: objects that are said to be there, and may be put */
    static const char *const below[] = {"/_ilm/policy/", "/_index_template/", "/_component_template/", "/_template/",
                                        "/_data_stream/", "/_ingest/pipeline/", "/_alias/"};
    bool is_get = !strcmp(method, "GET") || !strcmp(method, "HEAD"), is_put = !strcmp(method, "PUT") || !strcmp(method, "POST");
    for (size_t i = 0; is_get && i < sizeof(exact) / sizeof(*exact); i++)
        if (!strcmp(path, exact[i].path))
            return exact[i].answer;
    for (size_t i = 0; (is_get || is_put) && i < sizeof(below) / sizeof(*below); i++)
        if (!strncmp(path, below[i], strlen(below[i])) && path[strlen(below[i])])
            return is_get ? "{}\n" : ACKNOWLEDGED;
    return NULL;
}

static const char *behind(const char *header, const char *scheme)
{
    size_t n = strlen(scheme);
    if (strncasecmp(header, scheme, n) != 0 || header[n] != ' ')
        return NULL;
    for (header += n; *header == ' '; header++) {
    }
    return header;
}

struct text elastic_token(const char *header, char room[ELASTIC_TOKEN_BYTES])
{
    const char *bearer = behind(header, "Bearer"), *packed = behind(header, "Basic");
    size_t n = 0;
    if (bearer)
        return (struct text){bearer, strlen(bearer)};
    if (!packed)
        packed = behind(header, "ApiKey");
    if (!packed || sodium_base642bin((unsigned char *)room, ELASTIC_TOKEN_BYTES, packed, strlen(packed), " ", &n, NULL,
                                     sodium_base64_VARIANT_ORIGINAL))
        return (struct text){"", 0};
    const char *colon = memchr(room, ':', n);
    return colon ? (struct text){colon + 1, (size_t)(room + n - colon - 1)} : (struct text){"", 0};
}
