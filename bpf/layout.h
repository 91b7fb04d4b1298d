/* SPDX-License-Identifier: MIT */
/* The layout that the kernel programs and src/engine/layout.ts share. Change both together. */
#pragma once

#define MAX_WORKERS 16
#define MAX_RULES 256
#define STALE_NS 1000000000ULL /* an engine that has not beaten for this long is taken for dead */

/* IPv4 addresses are v4-mapped (::ffff:a.b.c.d), so that one key serves both families. Network byte order. */
struct addr {
	__u32 w[4];
};

/* The key is the same for both directions: the smaller (address, port) is side 0. */
struct flow_key {
	struct addr addr[2];
	__u16 port[2];
};

#define HAS_MSS 1
#define HAS_WSCALE 2
#define HAS_SACK 4
#define HAS_TS 8
#define HAS_ECN 16
#define SCALED_WINDOW 32 /* window came with a segment behind the SYN: the scale applies (RFC 7323 section 2.2) */

/* What one end has said, as it arrived here. */
struct side {
	__u32 isn;
	__u32 tsval; /* the newest seen */
	__u16 window; /* as on the wire, the newest seen */
	__u16 mss;
	__u8 wscale;
	__u8 has;
	__u8 ttl;
	__u8 tos; /* DSCP and ECN, or the traffic class */
	__u32 flow_label; /* network byte order, 20 bits */
};

enum state {
	SYN_SENT = 1,
	SYN_RCVD = 2,
	ESTABLISHED = 3,
	HELD = 4, /* data came: everything goes to the engine until it has decided */
	FORWARD = 5, /* not ours, and already counted */
};

struct handshake {
	struct side side[2];
	__u32 state;
	__u8 client; /* which side sent the SYN */
	__u8 rule; /* the user's rule that selected it */
	__u16 generation; /* of the rules at that time, its lower 16 bits */
	__u64 started_ns; /* when the segment came that the next one answers */
	__u32 made; /* sockets were made for it: HELD then means taken, until it is no more */
	__u32 settings; /* of its rule: what the first SYN went without, its repetitions and the SYN-ACK go without, too */
	__u16 rtt_ms[2]; /* from here to each side and back, rounded up; 0: not known */
	__u32 held; /* segments that went to the engine */
	__u32 past_sockets; /* a dead engine's sockets may have these ports: its packets must not meet them */
	__u32 pad;
};

/* A taken flow. Written by the engine only (an LRU map could lose it, and its packets would pass the sockets by). */
struct flow {
	struct side side[2];
	__u32 live; /* bit n: what side n sends may go to the socket that faces it; until then it goes to the engine */
	__u32 next[2]; /* behind what each side has sent; 0: not known yet */
	__u32 stamp[2], echo[2]; /* the last TSval and TSecr that our socket sent in each side's name; 0: none */
	__u32 held; /* segments that went to the engine since the takeover */
	__u64 id; /* the engine's: index, generation << 32; not 0 */
	/* Of each side: how much it has acknowledged, and behind what it has no room (arrived.h). */
	__u32 acked[2], room[2];
	/* What has been acknowledged in its name, and the end of the window that was shown with it; that of our socket. */
	__u32 said[2], shown[2], edge[2];
	__u32 last[2]; /* where its newest segment begins */
};

#define ANY_NUMBER 0xffffffff /* to change_flow: however many were held */
#define CATCHING_UP 4 /* in live: the engine still delivers what was held, in order, and says itself when that is over */
#define RELEASING 32 /* in live: our sockets' TSvals stand still, so that the ends' own clocks are not behind them */
#define LEAVING 64 /* in live: the sockets are gone, and what the engine delivers goes on to the other end */
#define PROBED 8 /* in live, shifted by side: its probe went on to the other end, whose answer is still out */
#define MAY_PART 256 /* in live: nobody but the relay reads its sockets, so that the tracker may end it (part.h) */
#define PARTED 512 /* in live: the tracker has ended it; the sockets say nothing more, and the engine drops them */
#define ARRIVING 1024 /* in live: both ends are to hear of arrival, and not of our having it */
#define WITHHELD 2048 /* in live, shifted by side: that side waits for an acknowledgement that our socket has given */
#define ECHOING 8192 /* in live, shifted by side: what that side waits for told it of congestion (ECE) */
#define FINISHED 32768 /* in live, shifted by side: its FIN has come */
#define OVER 128 /* in live: our sockets end in resets; what the ends still say, they say to each other */

struct rule {
	struct addr from, from_mask, to, to_mask;
	__u16 lo, hi; /* destination ports, host byte order */
	__u8 forward;
	__u8 index;
	__u8 settings;
	__u8 pad;
};

#define ECN_OFF 1 /* no offer of ECN passes */
#define STRIP 2 /* no option passes that two ordinary sockets cannot carry, where the ends can do without it */

struct rules {
	struct rule rule[MAX_RULES];
};

#define MAKING 1 /* an ACK from which a socket is to be made */
#define PASSING 2 /* what our socket would say to an end, if it had anything to say */

/* In the bits of the mark that are ours: to be dressed though it was forwarded. */
#define PASSED_MARK 0x2d600000
#define PASSED_MASK 0xfff00000

#define PARTED_RING 1024
#define PARTED_MARGIN 64 /* CPUs that may add to it at once */

/* Flows that the tracker has ended, for the engine to look at when it turns anyway. */
struct parted {
	__u32 head; /* the tracker's: how many were added */
	__u32 tail; /* the engine's: how many it has taken out. What it has taken it sets to 0 */
	__u64 id[PARTED_RING];
};

struct config {
	__u64 heartbeat_ns[MAX_WORKERS]; /* CLOCK_MONOTONIC, stored by each worker through its own mapping */
	__u32 tun[MAX_WORKERS]; /* interface index of each worker's TUN device */
	__u32 workers;
	__u32 mark;
	__u32 mark_mask;
	__u32 generation; /* of the rules in force; its lowest bit says in which bank. Changing rules is one store */
	__u32 rule_count[2];
	__u8 ports[8192]; /* one bit for each destination port that some rule names */
	__u32 writing[MAX_WORKERS]; /* what that worker's packet is, while it writes one into its TUN: 0, held; or one of these */
	__u16 listener[2][MAX_WORKERS]; /* port of each worker's listener on the loopback, IPv4 and IPv6 */
	struct parted parted[MAX_WORKERS];
};

enum counter {
	C_SEEN,
	C_COMPLETED,
	C_REFUSED,
	C_UNMATCHED,
	C_NO_DATA,
	C_ASYMMETRIC,
	C_UNSUPPORTED_OPTION,
	C_DATA_IN_SYN,
	C_SIMULTANEOUS_OPEN,
	C_MIDSTREAM,
	C_ENGINE_STALE,
	C_DECIDED,
	C_ECN,
	COUNTERS,
};
