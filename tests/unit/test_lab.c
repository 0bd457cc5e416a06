/* SPDX-License-Identifier: Apache-2.0 */
/* What the lab may not do, tried; and a spreadsheet on its whole way into a list. */
#include "cmocka_house.h"

#include "help_dir.h"
#include "help_xlsx.h"
#include "lab/lab.h"
#include "lab/sheet.h"
#include "watch/indicator/lists.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int memory_file(const void *p, size_t n)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(file_write_full(fd, p, n), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* the answer of a refused attempt: 1 refused with EPERM or EBADF, 2 it went through */
static int refused(long r)
{
    return r >= 0 ? 2 : errno == EPERM || errno == EBADF ? 1 : 3;
}

static int try_open(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    return refused(open("/etc/passwd", O_RDONLY));
}

static int try_create(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    return refused(open("/tmp/vonggac-lab-must-not", O_WRONLY | O_CREAT, 0600));
}

static int try_other_descriptor(int in, int out, void *context)
{
    (void)in, (void)out;
    char c;
    return refused(read(*(int *)context, &c, 1));
}

static int try_socket(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    return refused(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_unix_socket(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    return refused(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int try_fork(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    return refused(fork());
}

static int try_exec(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    char *argv[] = {NULL};
    return refused(execve("/bin/true", argv, argv));
}

static int try_kill(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    return refused(kill(1, 0));
}

static int try_ptrace(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    return refused(syscall(SYS_ptrace, 0, 0, 0, 0));
}

static int try_code(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    return refused(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}

static int try_unlink(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    return refused(unlink("/tmp/vonggac-lab-must-not"));
}

static void the_lab_may_not(void **state)
{
    (void)state;
    int secret = memory_file("secret", 6), in = memory_file("x", 1);
    static const struct {
        const char *what;
        lab_job job;
        bool may_be_killed;
    } attempts[] = {{"open a file", try_open, false}, {"create a file", try_create, false}, {"use another descriptor", try_other_descriptor, false},
                    {"open a socket", try_socket, true}, {"open a local socket", try_unix_socket, true}, {"fork", try_fork, true},
                    {"execute", try_exec, true}, {"signal another", try_kill, true}, {"trace", try_ptrace, true},
                    {"map code", try_code, true}, {"unlink", try_unlink, true}};
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        struct lab *l;
        struct fault f = {0};
        int out;
        assert_int_equal(lab_open(attempts[i].job, &secret, in, NULL, &l, &out, &f), 0);
        int r = lab_close(l, &f);
        close(out);
        if (r != 1 && !(attempts[i].may_be_killed && r == -ECHILD))
            print_error("%s: %d %s\n", attempts[i].what, r, f.text);
        assert_true(r == 1 || (attempts[i].may_be_killed && r == -ECHILD));
    }
    close(secret);
    close(in);
}

static int echo(int in, int out, void *context)
{
    char piece[16];
    ssize_t n;
    (void)context;
    while ((n = read(in, piece, sizeof(piece))) > 0)
        if (write(out, piece, (size_t)n) != n)
            return 2;
    return 42;
}

static void the_lab_may_read_and_answer(void **state)
{
    (void)state;
    int in = memory_file("hello, this is the input", 24), out;
    struct lab *l;
    struct fault f;
    char got[64];
    assert_int_equal(lab_open(echo, NULL, in, NULL, &l, &out, &f), 0);
    size_t n = 0;
    ssize_t r;
    while ((r = read(out, got + n, sizeof(got) - n)) > 0)
        n += (size_t)r;
    close(out);
    assert_int_equal(lab_close(l, &f), 42);
    assert_int_equal(n, 24);
    assert_memory_equal(got, "hello, this is the input", 24);
    close(in);
}

static int spin(int in, int out, void *context)
{
    (void)out, (void)context;
    volatile int here = in;
    while (here >= 0)
        ;
    return 0;
}

static int crash(int in, int out, void *context)
{
    (void)in, (void)out, (void)context;
    signal(SIGSEGV, SIG_DFL);
    volatile uintptr_t nowhere = 8; /* volatile: the compiler must not see that it is no address */
    *(volatile int *)nowhere = 1;
    return 0;
}

static void overrunning_and_dying_are_named(void **state)
{
    (void)state;
    int in = memory_file("x", 1), out;
    struct lab *l;
    struct fault f = {0};
    assert_int_equal(lab_open(spin, NULL, in, &(struct lab_limits){.wall_s = 1, .cpu_s = 1}, &l, &out, &f), 0);
    assert_int_equal(lab_close(l, &f), -ETIMEDOUT);
    assert_true(f.text[0]);
    close(out);
    assert_int_equal(lab_open(crash, NULL, in, NULL, &l, &out, &f), 0);
    assert_int_equal(lab_close(l, &f), -ECHILD);
    close(out);
    close(in);
}

static const struct list_xlsx reader = {lab_sheet_open, lab_sheet_close};

static int compile(const struct buf *file, struct list **ret, struct list_report *report, struct fault *f)
{
    int fd = memory_file(file->p, file->n);
    *report = (struct list_report){0};
    *f = (struct fault){0};
    *ret = NULL;
    int r = lists_compile(fd, &(struct list_add){.name = "sheet"}, report, ret, f);
    close(fd);
    return r;
}

static void a_spreadsheet_becomes_a_list(void **state)
{
    (void)state;
    static const char cover[] = HELP_SHEET("<row r=\"1\"><c t=\"str\"><v>Kính gửi: các đơn vị</v></c></row><row r=\"2\"><c t=\"str\"><v>Danh sách kèm theo</v></c></row>");
    static const char sheet[] = HELP_SHEET(
        "<row r=\"1\"><c t=\"str\"><v>DANH SÁCH</v></c></row>"
        "<row r=\"3\"><c r=\"A3\" t=\"str\"><v>STT</v></c><c r=\"B3\" t=\"str\"><v>Địa chỉ IP</v></c><c r=\"C3\" t=\"str\"><v>Thời gian</v></c>"
        "<c r=\"D3\" t=\"str\"><v>Tên mã độc</v></c><c r=\"E3\" t=\"str\"><v>Ghi chú</v></c></row>"
        "<row r=\"4\"><c r=\"A4\"><v>1</v></c><c r=\"B4\" t=\"str\"><v>1.52.0.9</v></c><c r=\"C4\" s=\"2\"><v>45352.3125</v></c>"
        "<c r=\"D4\" t=\"str\"><v>Mirai, bản &quot;mới&quot;&#10;x</v></c></row>"
        "<row r=\"6\"><c r=\"A6\"><v>2</v></c><c r=\"B6\" t=\"str\"><v>1.52.0.10</v></c><c r=\"C6\"><v>45352.3125</v></c></row>"
        "<row r=\"7\"><c r=\"A7\"><v>3</v></c><c r=\"B7\" t=\"str\"><v>1.52.0</v></c></row>");
    static const char styles[] = HELP_XML "<styleSheet><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"22\"/></cellXfs></styleSheet>";
    list_xlsx = &reader;
    for (int order = 0; order < 2; order++) {
        struct buf file = help_xlsx(order ? sheet : cover, order ? cover : sheet, NULL, styles, 8);
        struct list *l;
        struct list_report report;
        struct fault f;
        int r = compile(&file, &l, &report, &f);
        if (r)
            print_error("%s\n", f.text);
        assert_int_equal(r, 0);
        assert_int_equal(report.rows, 3);
        assert_int_equal(report.kept, 2);
        assert_int_equal(report.refused[LIST_REFUSED_bad_address], 1);
        struct list_entry e;
        assert_int_equal(list_entry(l, 0, &e), 0);
        assert_int_equal(ip_v4(&e.range.first), 0x01340009);
        assert_int_equal(e.row, 4);
        assert_int_equal(e.first_us, INT64_C(1709253000) * US_PER_SECOND); /* 2024-03-01 07:30 +07:00 */
        assert_true(text_is(e.family, "Mirai, bản \"mới\" x"));
        assert_int_equal(list_entry(l, 1, &e), 0);
        assert_int_equal(e.row, 6);
        assert_int_equal(e.first_us, INT64_C(1709253000) * US_PER_SECOND);
        list_close(l);
        buf_fini(&file);
    }
}

static void a_damaged_spreadsheet_keeps_nothing(void **state)
{
    (void)state;
    list_xlsx = &reader;
    struct buf file = help_xlsx(HELP_XML "<worksheet><sheetData><row r=\"1\"><c t=\"str\"><v>1.2.3.4</v></c></row><row", NULL, NULL, NULL, 8);
    struct list *l;
    struct list_report report;
    struct fault f;
    assert_int_equal(compile(&file, &l, &report, &f), -EBADMSG);
    assert_null(l);
    assert_true(f.text[0]);
    buf_fini(&file);
    file = (struct buf){.max = 64};
    buf_add_text(&file, "PK\3\4 and nothing more");
    assert_int_equal(compile(&file, &l, &report, &f), -EBADMSG);
    list_xlsx = NULL;
    assert_int_equal(compile(&file, &l, &report, &f), -EBADMSG);
    buf_fini(&file);
}

int main(void)
{
    print_message("landlock ABI %d\n", lab_landlock_abi());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lab_may_not),
        cmocka_unit_test(the_lab_may_read_and_answer),
        cmocka_unit_test(overrunning_and_dying_are_named),
        cmocka_unit_test(a_spreadsheet_becomes_a_list),
        cmocka_unit_test(a_damaged_spreadsheet_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
