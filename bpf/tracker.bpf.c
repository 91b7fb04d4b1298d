// SPDX-License-Identifier: MIT
/*
 * The tracker sits on tc ingress of every watched interface and of the engine's TUN devices. It follows handshakes
 * without touching them, holds the first data of a selected connection (redirects it to the engine's TUN), and marks
 * the packets of taken flows for local delivery. What it does not understand, it forwards.
 *
 * SPDX licence of the loaded object is "Dual MIT/GPL": some helpers are for GPL-compatible programs only.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include "layout.h"
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct rules);
} rule_banks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct flow_key);
	__type(value, struct handshake);
} handshakes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

#include "probe.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* TCP options by kind that made a flow unsupported, and behind them what an IP header may hold: forwarded.byOption. */
#define OPTION_IPV4 256
#define OPTION_IPV6 257
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 258);
	__type(key, __u32);
	__type(value, __u64);
} unsupported SEC(".maps");

/* Of datagrams in fragments that belong to a taken flow: the first fragment alone names the ports. */
struct fragment_key {
	struct addr src, dst;
	__u32 id;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fragment_key);
	__type(value, __u32);
} fragments SEC(".maps");

/* Work space. What is read back from a map is an unknown number to the verifier, which keeps its states few. */
struct scratch {
	__u8 options[64]; /* of a SYN or SYN-ACK; zero behind their end */
	__u8 as_sent[40];
	__u32 at; /* where the next option begins */
	__u8 blank; /* the option that lies here is being overwritten */
	__u8 answer; /* it is a SYN-ACK */
	__u8 foreign; /* kind of an option that two ordinary sockets cannot carry */
	__u8 indispensable; /* of one that must not be left out, either */
	struct side parsed;
	struct handshake fresh;
	struct packet packet; /* of a fragment: the stack is too small for it */
	struct fragment_key fragment;
};

#define PROTO_FRAGMENT 44
#define TCP_AE 0x100 /* RFC 9768; in the byte before the other flags */
#define ACC_ECN (TCP_AE | TCP_CWR | TCP_ECE)
#define OPTION_ACC_ECN 172
/* Less cannot be told to a socket (TCP_MIN_MSS of the kernel), and whoever sends in smaller pieces hurts himself. */
#define LEAST_MSS 88

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* From Linux 6.9. Makes a packet that arrives look like the ACK of a valid SYN cookie to a listener, which makes an
 * established socket with these attributes from it. Weak: without it, the engine uses TCP_REPAIR. */
struct bpf_tcp_req_attrs {
	__u32 rcv_tsval, rcv_tsecr;
	__u16 mss;
	__u8 rcv_wscale, snd_wscale;
	__u8 ecn_ok, wscale_ok, sack_ok, tstamp_ok, usec_ts_ok;
	__u8 reserved[3];
};

/* Complete, since libbpf 1.1 tells a forward declaration from the kernel's struct. */
struct sock {
	char opaque;
};

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk, struct bpf_tcp_req_attrs *attrs,
				   int attrs__sz) __ksym __weak;

static __always_inline void count(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &which);

	if (n)
		(*n)++;
}

static __always_inline int selected(const struct config *c, __u16 port)
{
	return c->ports[port >> 3] >> (port & 7) & 1;
}

static __always_inline int within(const struct addr *a, const struct addr *net, const struct addr *mask)
{
	return !(((a->w[0] & mask->w[0]) ^ net->w[0]) | ((a->w[1] & mask->w[1]) ^ net->w[1]) |
		 ((a->w[2] & mask->w[2]) ^ net->w[2]) | ((a->w[3] & mask->w[3]) ^ net->w[3]));
}

struct endpoints {
	struct addr client, server;
	__u32 bank, count, port;
};

/* The first rule that matches: its index, forward << 8 and settings << 16, or -1. A function of its own, so that it is verified once. */
__noinline int match_rule(const struct endpoints *e)
{
	if (!e)
		return -1;
	__u32 bank = e->bank & 1;
	const struct rules *rules = bpf_map_lookup_elem(&rule_banks, &bank);

	if (!rules)
		return -1;
	for (__u32 i = 0; i < MAX_RULES; i++) {
		if (i >= e->count)
			break;
		const struct rule *r = &rules->rule[i];

		if (e->port >= r->lo && e->port <= r->hi && within(&e->client, &r->from, &r->from_mask) &&
		    within(&e->server, &r->to, &r->to_mask))
			return r->settings << 16 | r->forward << 8 | r->index;
	}
	return -1;
}

static __always_inline int rule_for(const struct config *c, const struct addr *client, const struct addr *server,
				    __u16 port, __u32 generation)
{
	if (!selected(c, port))
		return -1;
	__u32 bank = generation & 1;
	struct endpoints e = {
		.client = *client, .server = *server, .bank = bank, .count = c->rule_count[bank], .port = port
	};

	return match_rule(&e);
}

/* Whether a connection cannot do without this option. An end that has a key drops what is not signed (RFC 2385 section
 * 2.0, RFC 5925 section 7.2): the SYN would never be answered, and its digest covers what we would change. MP_JOIN adds
 * to a connection that agreed on MPTCP elsewhere; without it, the server would hand a stranger to its application
 * (RFC 8684 section 3.2), where a lost MP_CAPABLE only means TCP as usual (section 3.7). */
static __always_inline int indispensable(const __u8 *o)
{
	return o[0] == 19 || o[0] == 29 || (o[0] == 30 && o[2] >> 4);
}

/* Reads the options of a SYN or SYN-ACK into the work space, and notes what two ordinary sockets cannot carry: there,
 * NOPs take its place. One byte at each turn, so that the verifier walks one short loop, and in a function of its own,
 * so that it walks it once. */
__noinline int read_options(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);

	if (!w)
		return 0;
	struct side *s = &w->parsed;

	if (length == 0 || length > 40)
		return 0;
	if (bpf_skb_load_bytes(skb, offset, w->options, length))
		return 0;
	__builtin_memcpy(w->as_sent, w->options, sizeof w->as_sent);
	w->at = 0;
	for (__u32 i = 0; i < 40; i++) {
		if (i >= length)
			break;
		__u8 *o = &w->options[i];

		if (i < w->at) {
			if (w->blank)
				*o = 1;
			continue;
		}
		__u8 kind = o[0], size = o[1];

		if (kind == 0)
			break;
		w->blank = 0;
		if (kind == 1)
			continue;
		/* A malformed length ends the options (RFC 9293 MUST-7), as in the kernel's tcp_parse_options(). */
		if (size < 2 || i + size > length)
			break;
		w->at = i + size;
		switch (kind) {
		case 2:
			/* The kernel takes 0 for absent. */
			if (size == 4 && (o[2] | o[3])) {
				s->mss = o[2] << 8 | o[3];
				s->has |= HAS_MSS;
			}
			break;
		case 3:
			if (size == 3) {
				s->wscale = o[2] > 14 ? 14 : o[2];
				s->has |= HAS_WSCALE;
			}
			break;
		case 4:
			if (size == 2)
				s->has |= HAS_SACK;
			break;
		case 8:
			if (size == 10) {
				s->tsval = (__u32)o[2] << 24 | o[3] << 16 | o[4] << 8 | o[5];
				s->has |= HAS_TS;
			}
			break;
		case 34:
			/* Asking for a Fast Open cookie, or getting one, changes nothing. Who shows one in a SYN may hear
			 * the server speak before the handshake is over (RFC 7413 section 4.2.2). */
			if (!w->answer && size > 2)
				goto foreign;
			break;
		default:
foreign:
			if (indispensable(o))
				w->indispensable = kind;
			w->foreign = kind;
			w->blank = 1;
			*o = 1;
		}
	}
	if (s->has & HAS_MSS && s->mss < LEAST_MSS)
		w->indispensable = 2;
	return 0;
}

/* Puts options back without what was foreign among them. */
__noinline int write_options(struct __sk_buff *skb, __u32 tcp, __u32 length)
{
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);

	if (!w || length == 0 || length > 40)
		return -1;
	/* What lies behind `length` is the same in both. */
	__s64 change = bpf_csum_diff((__be32 *)w->as_sent, 40, (__be32 *)w->options, 40, 0);

	if (change < 0 || bpf_skb_store_bytes(skb, tcp + 20, w->options, length, 0))
		return -1;
	return bpf_l4_csum_replace(skb, tcp + 16, 0, change, 0);
}

/* Takes flags out of the header's bytes 12 and 13. */
static __always_inline void clear_flags(struct __sk_buff *skb, __u32 tcp, __u16 *flags, __u16 clear)
{
	__be16 from = bpf_htons(*flags), to = bpf_htons(*flags & ~clear);

	if (from == to || bpf_skb_store_bytes(skb, tcp + 12, &to, 2, 0))
		return;
	bpf_l4_csum_replace(skb, tcp + 16, from, to, 2);
	*flags &= ~clear;
}

/* What the IP header of a SYN or SYN-ACK holds besides the usual: our sockets could not carry it on. */
static __always_inline int ip_option(const struct packet *p)
{
	if (p->v6)
		return p->l4 - p->l3 == 40 ? 0 : OPTION_IPV6;
	return p->l4 - p->l3 == 20 ? 0 : OPTION_IPV4;
}

/* Reads a SYN or SYN-ACK into the work space, leaving out what the settings of its rule say. Returns the kind of an option
 * that two ordinary sockets cannot carry, or 0. */
static __always_inline int read_syn(struct __sk_buff *skb, const struct packet *p, __u32 settings)
{
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);
	__be16 raw;

	if (!w || bpf_skb_load_bytes(skb, p->l4 + 12, &raw, 2))
		return 255;
	__u16 flags = bpf_ntohs(raw);

	__builtin_memset(&w->parsed, 0, sizeof w->parsed);
	__builtin_memset(w->options, 0, sizeof w->options);
	w->indispensable = 0;
	w->foreign = 0;
	w->blank = 0;
	w->answer = !!(p->flags & TCP_ACK);
	w->parsed.isn = p->seq;
	w->parsed.window = p->window;
	w->parsed.ttl = p->ttl;
	w->parsed.tos = p->tos;
	w->parsed.flow_label = p->flow_label;
	read_options(skb, p->l4 + 20, p->options);
	if (w->indispensable)
		return w->indispensable;
	if (ip_option(p))
		return ip_option(p);
	if (settings & STRIP) {
		if (w->foreign && write_options(skb, p->l4, p->options) == 0)
			w->foreign = 0;
		/* What remains of an AccECN offer is one of classic ECN (RFC 9768 section 3.1.2). */
		if ((flags & ACC_ECN) == ACC_ECN)
			clear_flags(skb, p->l4, &flags, TCP_AE);
	}
	if (settings & ECN_OFF)
		clear_flags(skb, p->l4, &flags, ACC_ECN);
	__u8 ecn = flags & (TCP_ECE | TCP_CWR);

	/* RFC 3168 section 6.1.1: a SYN offers with both flags, a SYN-ACK accepts with ECE alone. */
	if (ecn == (p->flags & TCP_ACK ? TCP_ECE : TCP_ECE | TCP_CWR))
		w->parsed.has |= HAS_ECN;
	if (w->foreign)
		return w->foreign;
	return !w->answer && (flags & ACC_ECN) == ACC_ECN ? OPTION_ACC_ECN : 0;
}

/* The newest timestamp of a segment, in the form that nearly every stack sends: NOP NOP TS first (RFC 7323 A). */
static __always_inline void read_timestamp(struct __sk_buff *skb, const struct packet *p, struct side *s)
{
	struct {
		__be32 head, val, ecr;
	} ts;

	if (!(s->has & HAS_TS) || p->options < 12 || bpf_skb_load_bytes(skb, p->l4 + 20, &ts, 12))
		return;
	if (ts.head == bpf_htonl(0x0101080a))
		s->tsval = bpf_ntohl(ts.val);
}

/* The TUN driver would write the skb's tag into the packet (tun_put_user), and bpf_redirect() takes off an Ethernet
 * header without tags. Each pop moves the next tag of the frame into the skb. */
static __always_inline void drop_tags(struct __sk_buff *skb)
{
	for (int i = 0; i < 3 && (skb->vlan_present || is_tag(skb->protocol)); i++)
		bpf_skb_vlan_pop(skb);
}

static __always_inline int to_engine(struct __sk_buff *skb, const struct config *c, __u32 worker)
{
	drop_tags(skb);
	return bpf_redirect(c->tun[worker & (MAX_WORKERS - 1)], 0);
}

/* Both directions of a flow go to the same worker: the key is the same for both. */
static __always_inline __u32 worker_of(const struct config *c, const struct flow_key *k)
{
	__u32 h = k->addr[0].w[3] ^ k->addr[1].w[3] ^ ((__u32)k->port[0] << 16 | k->port[1]);

	h *= 0x9e3779b1;
	return c->workers > 1 ? (h >> 16) % c->workers : 0;
}

static __always_inline int stale(const struct config *c, __u32 worker)
{
	/* Signed: a beat between the two reads is in the future. */
	return (__s64)(bpf_ktime_get_ns() - c->heartbeat_ns[worker & (MAX_WORKERS - 1)]) > (__s64)STALE_NS;
}

/* Exactly one CPU wins a change of state, so that each flow is counted once. */
static __always_inline int change(struct handshake *h, __u32 from, __u32 to)
{
	return __sync_val_compare_and_swap(&h->state, from, to) == from;
}

static __always_inline void forward(struct handshake *h, __u32 from, __u32 why)
{
	if (change(h, from, FORWARD))
		count(why);
}

static __always_inline void count_option(__u32 kind)
{
	__u64 *n = bpf_map_lookup_elem(&unsupported, &kind);

	count(C_UNSUPPORTED_OPTION);
	if (n)
		(*n)++;
}

static __always_inline void remember_forwarded(const struct packet *p)
{
	struct handshake h = { .state = FORWARD };

	h.client = 2; /* unknown: a later SYN starts afresh */
	bpf_map_update_elem(&handshakes, &p->key, &h, BPF_ANY);
}

static __always_inline void on_syn(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				   struct handshake *old, __u32 worker)
{
	__u8 me = p->from & 1;
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);

	if (!w)
		return;
	if (old) {
		if (old->client == me && old->side[me].isn == p->seq) {
			/* Repeated. It goes without what the first one went without, since either may be the one that arrives. */
			int option = read_syn(skb, p, old->settings);

			/* Stacks drop options that may have cost them the first one. */
			if (old->state == SYN_SENT)
				old->side[me] = w->parsed;
			if (option && change(old, SYN_SENT, FORWARD))
				count_option(option);
			return;
		}
		if (old->state == SYN_SENT && old->client == (me ^ 1)) {
			/* What one end must not see of the other, the other must not see of it. */
			read_syn(skb, p, old->settings);
			forward(old, SYN_SENT, C_SIMULTANEOUS_OPEN);
			return;
		}
	}
	struct handshake *h = &w->fresh;

	__builtin_memset(h, 0, sizeof *h);
	h->state = SYN_SENT;
	/* Read once: what selects it and what it remembers must be one and the same. */
	__u32 generation = *(const volatile __u32 *)&c->generation;
	int rule = rule_for(c, &p->src, &p->dst, p->dport, generation);

	h->generation = generation;
	h->client = me;
	h->started_ns = bpf_ktime_get_ns();
	h->rule = rule & 0xff;
	/* C_SEEN: no reason to forward it. */
	__u32 why = C_SEEN;

	if (rule < 0)
		why = C_UNMATCHED;
	else if (stale(c, worker))
		why = C_ENGINE_STALE;
	else if (rule >> 8 & 0xff)
		why = C_DECIDED;
	else if (p->payload)
		why = C_DATA_IN_SYN;
	else
		h->settings = rule >> 16;
	int option = read_syn(skb, p, h->settings);

	h->side[me] = w->parsed;
	if (rule >= 0)
		count(C_SEEN);
	if (why != C_SEEN) {
		h->state = FORWARD;
		count(why);
	} else if (option) {
		h->state = FORWARD;
		count_option(option);
	}
	bpf_map_update_elem(&handshakes, &p->key, h, BPF_ANY);
}

/* This segment answers the one before it. Of a SYN that may have been sent twice it says nothing (RFC 6298 section 3). */
static __always_inline void take_time(struct handshake *h, __u8 side)
{
	__u64 now = bpf_ktime_get_ns(), passed = (now - h->started_ns) / 1000000 + 1;

	h->rtt_ms[side & 1] = passed < 1000 ? passed : 0;
	h->started_ns = now;
}

static __always_inline void on_syn_ack(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				       struct handshake *h)
{
	__u8 me = p->from & 1;
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);

	if (!w)
		return;
	if (!h) {
		/* The SYN went another way. */
		if (rule_for(c, &p->dst, &p->src, p->sport, c->generation) >= 0)
			count(C_ASYMMETRIC);
		remember_forwarded(p);
		return;
	}
	if (h->state > ESTABLISHED || h->client == me || p->ack != h->side[me ^ 1].isn + 1)
		return;
	int option = read_syn(skb, p, h->settings);

	if (h->state == ESTABLISHED) {
		/* Repeated, since the third ACK was lost behind us. Our TSval must not be behind this one (RFC 7323 5.2). */
		if (!option && p->seq == h->side[me].isn)
			h->side[me].tsval = w->parsed.tsval;
		return;
	}
	__u32 state = h->state;

	h->side[me] = w->parsed;
	if (option) {
		if (change(h, state, FORWARD))
			count_option(option);
		return;
	}
	/* RFC 9293 section 3.10.7.3 lets a SYN-ACK bring data, which we would have missed. */
	if (p->payload) {
		forward(h, state, C_DATA_IN_SYN);
		return;
	}
	change(h, SYN_SENT, SYN_RCVD);
	take_time(h, me);
}

static __always_inline void on_rst(const struct packet *p, struct handshake *h)
{
	__u8 me = p->from & 1;

	if (h->state == SYN_SENT) {
		/* RFC 9293 section 3.10.7.3: in SYN-SENT a reset counts only if it acknowledges the SYN. */
		if (h->client != me && (p->flags & TCP_ACK) && p->ack == h->side[me ^ 1].isn + 1)
			forward(h, SYN_SENT, C_REFUSED);
	} else if (p->seq == h->side[me].isn + 1) {
		forward(h, h->state == SYN_RCVD ? SYN_RCVD : ESTABLISHED, C_NO_DATA);
	}
}

/* A segment without SYN or RST. Returns 1 when it is to be held. */
static __always_inline int on_segment(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				      struct handshake *h, __u32 worker)
{
	__u8 me = p->from & 1;
	struct side *mine = &h->side[me], *other = &h->side[me ^ 1];

	if (h->state == SYN_SENT) {
		/* The client acknowledges a SYN-ACK that never came by here. */
		if (h->client == me && (p->flags & TCP_ACK) && p->seq == mine->isn + 1)
			forward(h, SYN_SENT, C_ASYMMETRIC);
		return 0;
	}
	if (h->state == SYN_RCVD) {
		if (h->client != me || !(p->flags & TCP_ACK) || p->ack != other->isn + 1 ||
		    p->seq - mine->isn - 1 > 1 << 30)
			return 0;
		if (change(h, SYN_RCVD, ESTABLISHED))
			count(C_COMPLETED);
		take_time(h, me);
		/* TCP_REPAIR forgets ECN. */
		if (mine->has & other->has & HAS_ECN && !bpf_sk_assign_tcp_reqsk) {
			forward(h, ESTABLISHED, C_ECN);
			return 0;
		}
	}
	if (h->state == ESTABLISHED) {
		/* A keep-alive probe may carry one old byte (RFC 9293 section 3.8.4): not data. */
		int data = p->payload && p->seq != mine->isn;

		if (p->seq - mine->isn > 1 << 30)
			return 0;
		/* It acknowledges data that never came by here, or came in fragments: too late to step between. */
		if ((p->flags & TCP_ACK) && p->ack - other->isn - 2 < 1 << 30) {
			forward(h, ESTABLISHED, C_ASYMMETRIC);
			return 0;
		}
		if (!data) {
			if (p->flags & TCP_FIN)
				forward(h, ESTABLISHED, C_NO_DATA);
			else if (p->flags & TCP_ACK) {
				mine->window = p->window;
				mine->has |= SCALED_WINDOW;
				read_timestamp(skb, p, mine);
			}
			return 0;
		}
		if (stale(c, worker)) {
			forward(h, ESTABLISHED, C_ENGINE_STALE);
			return 0;
		}
		mine->window = p->window;
		mine->has |= SCALED_WINDOW;
		read_timestamp(skb, p, mine);
		change(h, ESTABLISHED, HELD);
	}
	if (h->state != HELD)
		return 0;
	if (stale(c, worker)) {
		/* One that was taken has been counted already. */
		if (h->made)
			change(h, HELD, FORWARD);
		else
			forward(h, HELD, C_ENGINE_STALE);
		return 0;
	}
	return 1;
}

/* ICMP errors that quote a packet of a taken flow belong to our socket: its end never sent that packet
 * (RFC 9293 section 3.9.2.2). */
static __always_inline void on_icmp(struct __sk_buff *skb, const struct config *c, const struct packet *outer)
{
	struct packet p = {};
	__u8 type, version;
	__be16 ports[2];
	__u32 end;

	/* The one's messages in the other's packets mean nothing to anyone. */
	if (outer->protocol != (outer->v6 ? PROTO_ICMPV6 : PROTO_ICMP) ||
	    bpf_skb_load_bytes(skb, outer->l4, &type, 1))
		return;
	if (outer->v6 ? type < 1 || type > 4 : type != 3 && type != 4 && type != 11 && type != 12)
		return;
	p.l3 = outer->l4 + 8;
	if (bpf_skb_load_bytes(skb, p.l3, &version, 1) || version >> 4 != (outer->v6 ? 6 : 4))
		return;
	p.l4 = parse_ip(skb, &p, &end, version);
	if (!p.l4 || p.protocol != PROTO_TCP || bpf_skb_load_bytes(skb, p.l4, ports, 4))
		return;
	p.sport = bpf_ntohs(ports[0]);
	p.dport = bpf_ntohs(ports[1]);
	if (!selected(c, p.sport) && !selected(c, p.dport))
		return;
	make_key(&p);
	if (bpf_map_lookup_elem(&flows, &p.key))
		skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
}

/* A socket that faces the sender of this ACK: it carries on the other end's sequence numbers. */
static __always_inline int make_socket(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				       __u32 worker)
{
	struct handshake *h = bpf_map_lookup_elem(&handshakes, &p->key);

	if (!bpf_sk_assign_tcp_reqsk || !h || h->state != HELD)
		return TC_ACT_SHOT;
	const struct side *peer = &h->side[p->from & 1], *self = &h->side[(p->from & 1) ^ 1];
	__u8 both = peer->has & self->has;
	struct bpf_tcp_req_attrs attrs = {
		.rcv_tsval = peer->tsval,
		.rcv_tsecr = self->tsval,
		/* What an end that named no MSS is bound to accept (RFC 9293 MUST-15). */
		.mss = peer->has & HAS_MSS ? peer->mss : p->v6 ? 1220 : 536,
		.rcv_wscale = self->wscale,
		.snd_wscale = peer->wscale,
		.ecn_ok = !!(both & HAS_ECN),
		.wscale_ok = !!(both & HAS_WSCALE),
		.sack_ok = !!(both & HAS_SACK),
		.tstamp_ok = !!(both & HAS_TS),
	};
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *listener;

	if (p->v6) {
		tuple.ipv6.daddr[3] = bpf_htonl(1);
		tuple.ipv6.dport = c->listener[1][worker & (MAX_WORKERS - 1)];
		listener = bpf_sk_lookup_tcp(skb, &tuple, sizeof tuple.ipv6, BPF_F_CURRENT_NETNS, 0);
	} else {
		tuple.ipv4.daddr = bpf_htonl(0x7f000001);
		tuple.ipv4.dport = c->listener[0][worker & (MAX_WORKERS - 1)];
		listener = bpf_sk_lookup_tcp(skb, &tuple, sizeof tuple.ipv4, BPF_F_CURRENT_NETNS, 0);
	}
	if (!listener)
		return TC_ACT_SHOT;
	int result = listener->state == BPF_TCP_LISTEN ?
			     bpf_sk_assign_tcp_reqsk(skb, (struct sock *)listener, &attrs, sizeof attrs) :
			     -1;

	bpf_sk_release(listener);
	if (result)
		return TC_ACT_SHOT;
	h->made = 1;
	skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
	return TC_ACT_OK;
}

/* A segment of a taken flow, on its way to the socket that faces its sender. */
static __always_inline int deliver(struct __sk_buff *skb, const struct config *c, struct packet *p,
				   struct flow *f, __u32 worker)
{
	__u8 me = p->from & 1;
	__u32 end = p->seq + p->payload + (p->flags & TCP_FIN);
	int bare = (p->flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK;

	/* Bare and behind what it has sent already: rare enough to ask the sockets, which also puts `next` right again
	 * after a forged segment. */
	if (bare && p->payload <= 1 && (!f->next[me] || (__s32)(p->seq - f->next[me]) < 0) && pass_probe(skb, p))
		return TC_ACT_OK;
	if (!f->next[me] || (__s32)(end - f->next[me]) > 0)
		f->next[me] = end;
	skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
	if (bare && !p->payload && f->live & PROBED << (me ^ 1)) {
		drop_tags(skb);
		if (p->l3 > 14) {
			p->l4 -= p->l3 - 14;
			p->l3 = 14;
		}
		return answer_probe(skb, p, c->tun[worker & (MAX_WORKERS - 1)]);
	}
	return TC_ACT_OK;
}

/* A fragment that belongs to a taken flow must not pass the sockets by: the kernel puts together what is delivered
 * locally. One that comes before the first of its datagram is forwarded and lost, and its end sends again. Returns 1 when
 * it is to be dropped, since what follows must not overtake what the engine still holds. */
__noinline int on_fragment(struct __sk_buff *skb, __u32 l3)
{
	__u32 zero = 0, at = l3, one = 1;
	const struct config *c = bpf_map_lookup_elem(&config, &zero);
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);
	__u8 version;
	__be16 offset, ports[2];

	if (!c || !w)
		return 0;
	struct packet *p = &w->packet;
	struct fragment_key *k = &w->fragment;

	if (bpf_skb_load_bytes(skb, l3, &version, 1))
		return 0;
	if (version >> 4 == 4) {
		struct ip4 ip;

		if (bpf_skb_load_bytes(skb, l3, &ip, sizeof ip) || ip.protocol != PROTO_TCP ||
		    !(ip.frag & bpf_htons(0x3fff)))
			return 0;
		map4(&p->src, ip.src);
		map4(&p->dst, ip.dst);
		k->id = ip.id;
		offset = ip.frag & bpf_htons(0x1fff);
		at += (ip.vihl & 15) * 4;
	} else if (version >> 4 == 6) {
		struct ip6 ip;
		struct {
			__u8 next, reserved;
			__be16 offset;
			__be32 id;
		} fragment;

		if (bpf_skb_load_bytes(skb, l3, &ip, sizeof ip))
			return 0;
		p->src = ip.src;
		p->dst = ip.dst;
		at += sizeof ip;
		for (int i = 0; i < 4 && ip.next != PROTO_FRAGMENT; i++) {
			__u8 ext[2];

			if ((ip.next != 0 && ip.next != 43 && ip.next != 60) || bpf_skb_load_bytes(skb, at, ext, 2))
				return 0;
			ip.next = ext[0];
			at += (ext[1] + 1) * 8;
		}
		if (ip.next != PROTO_FRAGMENT || bpf_skb_load_bytes(skb, at, &fragment, sizeof fragment) ||
		    fragment.next != PROTO_TCP)
			return 0;
		k->id = fragment.id;
		offset = fragment.offset & bpf_htons(0xfff8);
		at += sizeof fragment;
	} else {
		return 0;
	}
	k->src = p->src;
	k->dst = p->dst;
	if (offset) {
		if (!bpf_map_lookup_elem(&fragments, k))
			return 0;
	} else {
		if (bpf_skb_load_bytes(skb, at, ports, 4))
			return 0;
		p->sport = bpf_ntohs(ports[0]);
		p->dport = bpf_ntohs(ports[1]);
		make_key(p);
		struct flow *f = bpf_map_lookup_elem(&flows, &p->key);

		if (!f) {
			/* The identification may have been another flow's. */
			bpf_map_delete_elem(&fragments, k);
			return 0;
		}
		if (!(f->live >> (p->from & 1) & 1) && !stale(c, worker_of(c, &p->key)))
			return 1;
		bpf_map_update_elem(&fragments, k, &one, BPF_ANY);
	}
	skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
	return 0;
}

static __always_inline int track(struct __sk_buff *skb, __u32 l3, int from_engine)
{
	struct packet p = { .l3 = l3 };
	__u32 zero = 0;
	const struct config *c = bpf_map_lookup_elem(&config, &zero);

	if (!c)
		return TC_ACT_OK;
	if (!parse_tcp(skb, &p)) {
		if (p.protocol == PROTO_ICMP || p.protocol == PROTO_ICMPV6)
			on_icmp(skb, c, &p);
		else if ((p.protocol == 255 || p.protocol == PROTO_FRAGMENT) && on_fragment(skb, l3))
			return TC_ACT_SHOT;
		return TC_ACT_OK;
	}
	__u8 opening = p.flags & (TCP_SYN | TCP_ACK | TCP_RST);

	if (!selected(c, p.dport) && !selected(c, p.sport)) {
		if (opening == TCP_SYN)
			count(C_UNMATCHED);
		return TC_ACT_OK;
	}
	make_key(&p);
	__u32 worker = worker_of(c, &p.key);

	/* What answer_probe() sends by the TUN meanwhile bears our mark already. */
	if (from_engine && c->making[worker & (MAX_WORKERS - 1)] && (skb->mark & c->mark_mask) != c->mark)
		return make_socket(skb, c, &p, worker);
	struct flow *f = bpf_map_lookup_elem(&flows, &p.key);

	if (f) {
		if (opening != TCP_SYN) {
			if (!from_engine) {
				f->side[p.from & 1].ttl = p.ttl;
				f->side[p.from & 1].tos = p.tos;
				if (!(f->live >> (p.from & 1) & 1) && !stale(c, worker)) {
					/* What follows must not overtake it: the engine says when it has been delivered. */
					__sync_fetch_and_or(&f->live, CATCHING_UP);
					return to_engine(skb, c, worker);
				}
				return deliver(skb, c, &p, f, worker);
			}
			skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
			return TC_ACT_OK;
		}
		/* A SYN for a flow that we hold: the ports may be used again before the engine has cleaned up, so it
		 * has to pass through the engine, which knows. Without an engine the flow is gone. */
		if (!stale(c, worker)) {
			if (!from_engine)
				return to_engine(skb, c, worker);
			skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
			return TC_ACT_OK;
		}
		bpf_map_delete_elem(&flows, &p.key);
	}
	struct handshake *h = bpf_map_lookup_elem(&handshakes, &p.key);

	if (opening == TCP_SYN) {
		on_syn(skb, c, &p, h, worker);
		return TC_ACT_OK;
	}
	if (h && h->state == FORWARD)
		return TC_ACT_OK;
	if (from_engine) {
		/* What was held comes back and is no taken flow: the engine has decided to forward it. */
		if (h)
			change(h, HELD, FORWARD);
		return TC_ACT_OK;
	}
	if (opening == (TCP_SYN | TCP_ACK)) {
		on_syn_ack(skb, c, &p, h);
		return TC_ACT_OK;
	}
	if (!h) {
		if (!(p.flags & (TCP_RST | TCP_SYN)) &&
		    (rule_for(c, &p.src, &p.dst, p.dport, c->generation) >= 0 ||
		     rule_for(c, &p.dst, &p.src, p.sport, c->generation) >= 0))
			count(C_MIDSTREAM);
		remember_forwarded(&p);
		return TC_ACT_OK;
	}
	if (p.flags & TCP_RST) {
		if (h->state == HELD && !stale(c, worker))
			return to_engine(skb, c, worker);
		on_rst(&p, h);
		return TC_ACT_OK;
	}
	if (p.flags & TCP_SYN)
		return TC_ACT_OK;
	if (on_segment(skb, c, &p, h, worker))
		return to_engine(skb, c, worker);
	return TC_ACT_OK;
}

SEC("tc")
int track_ethernet(struct __sk_buff *skb)
{
	__u32 l3 = network_offset(skb);

	return l3 ? track(skb, l3, 0) : TC_ACT_OK;
}

/* For interfaces without a link-layer header. */
SEC("tc")
int track_raw(struct __sk_buff *skb)
{
	return track(skb, 0, 0);
}

/* For what the engine writes back through its TUN. */
SEC("tc")
int track_engine(struct __sk_buff *skb)
{
	return track(skb, 0, 1);
}

/* A listener that could make no socket resets the ACK that it got (tcp_rcv_state_process()). That ACK was ours: its end
 * must not hear of it. No socket of ours faces that end yet, so no other reset can be on its way to it. */
static __always_inline int is_refusal(const struct packet *p, const struct flow *f)
{
	__u32 zero = 0;
	const struct config *c = bpf_map_lookup_elem(&config, &zero);

	if (!c || !c->making[worker_of(c, &p->key) & (MAX_WORKERS - 1)])
		return 0;
	if (f)
		return !(f->live >> ((p->from & 1) ^ 1) & 1);
	const struct handshake *h = bpf_map_lookup_elem(&handshakes, &p->key);

	return h && h->state == HELD;
}

/* What our sockets send looks as forwarding would have left it: the other end's TTL less one, its DSCP, its flow
 * label, and a timestamp echo from the first segment on (TCP_REPAIR leaves ts_recent 0). */
static __always_inline int dress(struct __sk_buff *skb, __u32 l3)
{
	struct packet p = { .l3 = l3 };

	/* Forwarded packets have come in somewhere. */
	if (skb->ingress_ifindex || !parse_tcp(skb, &p))
		return TC_ACT_OK;
	make_key(&p);
	struct flow *f = bpf_map_lookup_elem(&flows, &p.key);

	if (p.flags & TCP_RST && is_refusal(&p, f))
		return TC_ACT_SHOT;
	if (!f)
		return TC_ACT_OK;
	struct side *mine = &f->side[p.from & 1], *other = &f->side[(p.from & 1) ^ 1];

	if (!(f->live & CATCHING_UP))
		__sync_fetch_and_or(&f->live, 1 << ((p.from & 1) ^ 1));
	__u8 ttl = mine->ttl > 1 ? mine->ttl - 1 : 1;
	/* ECN belongs to each leg's own congestion control; DSCP to the end (RFC 3168 section 5, RFC 2474). */
	__u8 tos = (mine->tos & 0xfc) | (p.tos & 3);

	if (p.v6) {
		__be32 first = bpf_htonl(0x60000000 | (__u32)tos << 20) | mine->flow_label;

		bpf_skb_store_bytes(skb, l3, &first, 4, 0);
		bpf_skb_store_bytes(skb, l3 + 7, &ttl, 1, 0);
	} else {
		if (ttl != p.ttl) {
			bpf_l3_csum_replace(skb, l3 + 10, bpf_htons(p.ttl << 8), bpf_htons(ttl << 8), 2);
			bpf_skb_store_bytes(skb, l3 + 8, &ttl, 1, 0);
		}
		if (tos != p.tos) {
			bpf_l3_csum_replace(skb, l3 + 10, bpf_htons(p.tos), bpf_htons(tos), 2);
			bpf_skb_store_bytes(skb, l3 + 1, &tos, 1, 0);
		}
	}
	struct timestamps ts;

	if (!(p.flags & TCP_RST) && load_timestamps(skb, &p, f, &ts)) {
		if (ts.ecr == 0) {
			ts.ecr = bpf_htonl(other->tsval);
			put_number(skb, &p, 28, 0, other->tsval);
		}
		f->stamp[p.from & 1] = bpf_ntohl(ts.val);
		f->echo[p.from & 1] = bpf_ntohl(ts.ecr);
	}
	return TC_ACT_OK;
}

SEC("tc")
int dress_ethernet(struct __sk_buff *skb)
{
	__u32 l3 = network_offset(skb);

	return l3 ? dress(skb, l3) : TC_ACT_OK;
}

SEC("tc")
int dress_raw(struct __sk_buff *skb)
{
	return dress(skb, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
