/*
 * Included before every other line of the product's files when they are built
 * for fuzz_handshake.c and fuzz_session.c: the system's calls become those of
 * fuzz_world.c, where descriptors are plain state and nothing blocks.
 */
#undef _FORTIFY_SOURCE	/* its wrappers know the calls by their own names */

#define close		world_close
#define fcntl		world_fcntl
#define fstat		world_fstat
#define ioctl		world_ioctl
#define nanosleep	world_nanosleep
#define pipe(fd)	world_pipe(fd)
#define child_pipe(fd)	world_pipe(fd)
#define poll		world_poll
#define read		world_read
#define recv		world_recv
#define recvmsg		world_recvmsg
#define send		world_send
#define sendmsg		world_sendmsg
#define shutdown	world_shutdown
#define splice		world_splice
#define tee		world_tee
#define writev		world_writev
