/* SPDX-License-Identifier: MIT */
/* What a SYN and a SYN-ACK say, and what their rule takes out of them. */
#pragma once
#include "maps.h"

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

/* The newest timestamp of that end. */
static __always_inline void read_timestamp(struct __sk_buff *skb, const struct packet *p, struct side *s)
{
	struct timestamps ts;

	if (s->has & HAS_TS && find_timestamps(skb, p, &ts))
		s->tsval = bpf_ntohl(ts.val);
}
