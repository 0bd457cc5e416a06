/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/gate_keys - certificates, keys and tokens of intake: read by the parent, used by the gate, seen by nobody else.
 *
 * In:     the files the configuration names, each at most GATE_FILE_MAX bytes.
 * Out:    their bytes in memory of their own, each ended by a zero, which never reaches a core file or the swap; whoever forks
 *         and is not the gate throws it away.
 */
#pragma once

#include "base/fault.h"
#include "gate/gate.h"
#include "node/config.h"

#define GATE_FILE_MAX ((size_t)256 << 10)

struct gate_keys {
    uint8_t *memory; /* NULL: nothing */
    size_t n_memory;
    struct {
        struct gate_bytes certificate, key, client_ca, tokens;
    } listeners[CONFIG_MAX_LOGS];
};

/*
 * gate_keys_read - Return: 0 (also when no listener has TLS); 1 or <0 with the fault: which file and why.
 */
int gate_keys_read(const struct config *c, struct gate_keys *ret, struct fault *f);
/* gate_keys_wipe - overwrite and give back. gate_keys_leave - give back this process's copy without a look. */
void gate_keys_wipe(struct gate_keys *k);
void gate_keys_leave(struct gate_keys *k);
