/* SPDX-License-Identifier: Apache-2.0 */
#include "node/gate_keys.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILES_OF_ONE = 4 };

/* read_one - straight into the memory: no copy of a key stays in a buffer. */
static int read_one(const char *path, uint8_t *room, struct gate_bytes *ret, struct fault *f)
{
    size_t n = 0;
    ssize_t k = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return FAULT(f, -errno, gate_cannot_read, path, strerrordesc_np(errno));
    while (k > 0 && n < GATE_FILE_MAX) {
        k = read(fd, room + n, GATE_FILE_MAX - n);
        n += k > 0 ? (size_t)k : 0;
    }
    int e = k < 0 ? -errno : 0;
    close(fd);
    if (e)
        return FAULT(f, e, gate_cannot_read, path, strerrordesc_np(-e));
    if (n == GATE_FILE_MAX)
        return FAULT(f, 1, gate_too_large, path);
    room[n] = 0;
    *ret = (struct gate_bytes){room, n};
    return 0;
}

int gate_keys_read(const struct config *c, struct gate_keys *ret, struct fault *f)
{
    size_t n = 0;
    *ret = (struct gate_keys){0};
    for (size_t i = 0; i < c->n_logs; i++)
        n += c->logs[i].has_tls ? FILES_OF_ONE : 0;
    if (!n)
        return 0;
    uint8_t *p = mmap(NULL, n * GATE_FILE_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return FAULT(f, -ENOMEM, no_memory, "the gate");
    ret->memory = p;
    ret->n_memory = n * GATE_FILE_MAX;
    (void)madvise(p, ret->n_memory, MADV_DONTDUMP);
    int r = 0;
    for (size_t i = 0; !r && i < c->n_logs; i++) {
        const struct config_log_listener *l = &c->logs[i];
        const struct {
            const char *path;
            struct gate_bytes *to;
        } files[FILES_OF_ONE] = {{l->certificate, &ret->listeners[i].certificate}, {l->key, &ret->listeners[i].key},
                                 {l->client_ca, &ret->listeners[i].client_ca}, {l->tokens, &ret->listeners[i].tokens}};
        for (size_t k = 0; !r && l->has_tls && k < FILES_OF_ONE; k++, p += GATE_FILE_MAX)
            r = files[k].path ? read_one(files[k].path, p, files[k].to, f) : 0;
        for (size_t k = 0; !r && l->has_tls && k < FILES_OF_ONE; k++)
            if (files[k].to->n)
                (void)mlock(files[k].to->p, files[k].to->n); /* as far as the limits allow */
    }
    if (r)
        gate_keys_wipe(ret);
    return r;
}

void gate_keys_wipe(struct gate_keys *k)
{
    for (size_t i = 0; k->memory && i < CONFIG_MAX_LOGS; i++) {
        const struct gate_bytes all[FILES_OF_ONE] = {k->listeners[i].certificate, k->listeners[i].key, k->listeners[i].client_ca,
                                                     k->listeners[i].tokens};
        for (size_t j = 0; j < FILES_OF_ONE; j++)
            if (all[j].n)
                explicit_bzero(k->memory + (all[j].p - k->memory), all[j].n);
    }
    gate_keys_leave(k);
}

void gate_keys_leave(struct gate_keys *k)
{
    if (k->memory)
        munmap(k->memory, k->n_memory);
    *k = (struct gate_keys){0};
}
