/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/password_form - one spelling of a password, whatever the keyboard sends.
 *
 * The same Vietnamese letter comes as one sign (UniKey), as a vowel and a tone (the keyboard layout of Windows) or as a letter and all
 * its marks; they look alike, and are other bytes. Letters with the marks of Vietnamese are taken apart and the marks ordered, as
 * Unicode's canonical decomposition does; everything else stays as it is.
 * In:     at most PASSWORD_MAX bytes (what is behind is not looked at). Not UTF-8: the bytes as they are.
 * Limits: no allocation, no state.
 * Source: Unicode Standard Annex 15 (NFD), of the letters of Latin with grave, acute, circumflex, tilde, breve, hook, horn, dot below.
 */
#pragma once

#include "state/login.h"

#define PASSWORD_FORM_MAX (PASSWORD_MAX * 4 + 8)

/* password_form - Return: bytes written; not terminated. */
size_t password_form(struct text t, char out[PASSWORD_FORM_MAX]);
