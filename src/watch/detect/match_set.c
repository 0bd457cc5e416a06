/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/match_set.h"

#include "watch/indicator/lists.h"

#include <errno.h>
#include <stdlib.h>

static int64_t active_from(const struct match_set *previous, const struct list *l, int64_t otherwise_us)
{
    const struct list_about *about = list_about(l);
    for (size_t i = 0; previous && i < previous->n_lists; i++) {
        const struct list_about *p = list_about(previous->lists[i].list);
        if (p->version == about->version && text_equal(p->name, about->name))
            return previous->lists[i].active_from_us;
    }
    return otherwise_us;
}

int match_set_load(const char *data_dir, const struct match_set *previous, int64_t active_from_us,
                   struct match_set **ret, struct fault *f)
{
    struct match_set *m = calloc(1, sizeof(*m));
    if (!m)
        return FAULT(f, -ENOMEM, no_memory, "lists");
    int r = lists_open_all(data_dir, &m->list_pointers, &m->n_lists, f);
    if (!r)
        r = space_open_current(data_dir, &m->space, f);
    if (r < 0) {
        match_set_free(m);
        return r;
    }
    m->lists = calloc(m->n_lists + 1, sizeof(*m->lists));
    if (m->n_lists)
        m->matcher = matcher_new(m->list_pointers, m->n_lists, NULL);
    if (m->n_lists)
        m->names = names_new(m->list_pointers, m->n_lists);
    if (!m->lists || (m->n_lists && (!m->matcher || !m->names))) {
        match_set_free(m);
        return FAULT(f, -ENOMEM, no_memory, "lists");
    }
    for (size_t i = 0; i < m->n_lists; i++)
        m->lists[i] = (struct match_list){m->list_pointers[i], active_from(previous, m->list_pointers[i], active_from_us)};
    *ret = m;
    return 0;
}

void match_set_free(struct match_set *m)
{
    if (!m)
        return;
    matcher_free(m->matcher);
    names_free(m->names);
    for (size_t i = 0; i < m->n_lists; i++)
        list_close(m->list_pointers[i]);
    if (m->space)
        space_close(m->space);
    free(m->list_pointers);
    free(m->lists);
    free(m);
}
