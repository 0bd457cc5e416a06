/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --help, the manual page and shell completion, all from the tables.
 */
#include "base/clock.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_option(int o, const char *indent)
{
    char left[64];
    snprintf(left, sizeof(left), "--%s%s%s", cli_option_names[o], cli_option_values[o] ? " " : "",
             cli_option_values[o] ? cli_option_values[o] : "");
    printf("%s%-26s %s\n", indent, left, message_text(cli_option_texts[o]));
}

static void explain_all(void)
{
    printf("vonggac %s - %s\n\n", VONGGAC_VERSION, message_text(MSG_help_program));
    for (size_t i = 0; i < cli_n_commands; i++) {
        char left[80];
        snprintf(left, sizeof(left), "%s %s", cli_commands[i].words, cli_commands[i].operands);
        printf("  vonggac %-30s %s\n", left, message_text(cli_commands[i].summary));
    }
    printf("\n%s\n", message_text(MSG_help_everywhere));
    for (int o = 0; o < CLI_N_OPTIONS; o++)
        if (CLI_COMMON >> o & 1)
            print_option(o, "  ");
    printf("\n%s\n", message_text(MSG_help_exit_status));
}

void cli_explain(const struct cli_command *c)
{
    if (!c) {
        explain_all();
        return;
    }
    printf("vonggac %s%s%s\n\n%s\n\n%s\n", c->words, *c->operands ? " " : "", c->operands, message_text(c->summary),
           message_text(c->detail));
    printf("\n%s\n", message_text(MSG_help_options));
    for (int o = 0; o < CLI_N_OPTIONS; o++)
        if ((c->options | CLI_COMMON) >> o & 1)
            print_option(o, "  ");
}

/* man_text - a text for roff: a leading dot or quote would be a request, backslash and hyphen are special. */
static void man_text(const char *p)
{
    bool is_start = true;
    for (; *p; p++) {
        if (is_start && (*p == '.' || *p == '\''))
            fputs("\\&", stdout);
        if (*p == '\\')
            fputs("\\e", stdout);
        else if (*p == '-')
            fputs("\\-", stdout);
        else
            putchar(*p);
        is_start = *p == '\n';
    }
    putchar('\n');
}

static void print_manual(void)
{
    printf(".TH VONGGAC 1 \"\" \"vonggac %s\"\n.SH NAME\nvonggac \\- ", VONGGAC_VERSION);
    man_text(message_text(MSG_help_program));
    puts(".SH COMMANDS");
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_command *c = &cli_commands[i];
        printf(".SS vonggac %s ", c->words);
        man_text(c->operands);
        man_text(message_text(c->summary));
        puts(".PP\n.nf");
        man_text(message_text(c->detail));
        puts(".fi");
        for (int o = 0; o < CLI_N_OPTIONS; o++) {
            if (!(c->options >> o & 1))
                continue;
            printf(".TP\n.B \\-\\-%s", cli_option_names[o]);
            if (cli_option_values[o])
                printf(" \\fI%s\\fR", cli_option_values[o]);
            putchar('\n');
            man_text(message_text(cli_option_texts[o]));
        }
    }
    puts(".SH OPTIONS");
    for (int o = 0; o < CLI_N_OPTIONS; o++) {
        if (!(CLI_COMMON >> o & 1))
            continue;
        printf(".TP\n.B \\-\\-%s\n", cli_option_names[o]);
        man_text(message_text(cli_option_texts[o]));
    }
    puts(".SH EXIT STATUS");
    man_text(message_text(MSG_help_exit_status));
}

static void print_completion(void)
{
    puts("# bash completion for vonggac, from its own table of commands");
    puts("_vonggac() {\n    local word=${COMP_WORDS[COMP_CWORD]} line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\"\n"
         "    local options=\"\" words=\"\"\n    case \"$line\" in");
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_command *c = &cli_commands[i];
        printf("    \"%s\"*) options=\"", c->words);
        for (int o = 0; o < CLI_N_OPTIONS; o++)
            if ((c->options | CLI_COMMON) >> o & 1)
                printf("--%s ", cli_option_names[o]);
        puts("\" ;;");
    }
    puts("    list) words=\"add show diff check\" ;;\n    space) words=\"add show\" ;;\n"
         "    user) words=\"add list show disable enable reset-password reset-totp unlock bind unbind\" ;;\n"
         "    grant) words=\"add list end\" ;;\n    store) words=\"compact verify\" ;;\n    import) words=\"flows\" ;;");
    fputs("    \"\") words=\"", stdout);
    for (size_t i = 0; i < cli_n_commands; i++) {
        size_t n = strcspn(cli_commands[i].words, " ");
        if (i && !strncmp(cli_commands[i - 1].words, cli_commands[i].words, n))
            continue;
        printf("%.*s ", (int)n, cli_commands[i].words);
    }
    puts("\" ;;\n    esac\n    if [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "    elif [[ $words ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "    else COMPREPLY=($(compgen -f -- \"$word\")); fi\n}\ncomplete -o filenames -F _vonggac vonggac");
}

int cli_help(const struct cli_args *a)
{
    if (!a->n_operands) {
        cli_explain(NULL);
        return EXIT_DONE;
    }
    if (!strcmp(a->operands[0], "man")) {
        print_manual();
        return EXIT_DONE;
    }
    if (!strcmp(a->operands[0], "completion")) {
        print_completion();
        return EXIT_DONE;
    }
    SAY(stderr, cli_usage, "help", "[man|completion]");
    return EXIT_FAILED;
}
