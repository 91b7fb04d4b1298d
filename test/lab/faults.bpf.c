// SPDX-License-Identifier: MIT
// Faults for the audit to find, one program each, for the egress of an Ethernet interface. IPv4 without options.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TCP_AT (ETH_HLEN + sizeof(struct iphdr))
#define FLAGS_AT (TCP_AT + 12)
#define CHECK_AT (TCP_AT + offsetof(struct tcphdr, check))
#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define URG 0x20
#define ECE 0x40
#define CWR 0x80

// The first and last port of the audit: nothing else is touched.
#define FIRST_PORT 7410
#define LAST_PORT 7609

struct seen {
	__u16 source, destination, word, length;
	__u32 seq;
	int toServer;
};

static __always_inline int ours(__u16 port)
{
	return port >= FIRST_PORT && port <= LAST_PORT;
}

// 1 and what it says, for a segment of the audit. `word`: data offset and flags.
static __always_inline int segment(struct __sk_buff *skb, struct seen *s)
{
	struct iphdr ip;
	struct tcphdr tcp;

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof ip) ||
	    ip.protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, TCP_AT, &tcp, sizeof tcp))
		return 0;
	s->source = bpf_ntohs(tcp.source);
	s->destination = bpf_ntohs(tcp.dest);
	s->seq = bpf_ntohl(tcp.seq);
	if (bpf_skb_load_bytes(skb, FLAGS_AT, &s->word, 2))
		return 0;
	s->word = bpf_ntohs(s->word);
	s->length = bpf_ntohs(ip.tot_len) - sizeof ip - (s->word >> 12) * 4;
	s->toServer = ours(s->destination);
	return s->toServer || ours(s->source);
}

static __always_inline void put_word(struct __sk_buff *skb, __u32 at, __u16 from, __u16 to)
{
	__be16 was = bpf_htons(from), is = bpf_htons(to);

	bpf_l4_csum_replace(skb, CHECK_AT, was, is, 2);
	bpf_skb_store_bytes(skb, at, &is, 2, 0);
}

SEC("tc/ttl_plus")
int ttl_plus(struct __sk_buff *skb)
{
	struct seen s;
	__be16 was, is;
	__u8 pair[2];
	__u32 at = ETH_HLEN + offsetof(struct iphdr, ttl);

	if (!segment(skb, &s) || bpf_skb_load_bytes(skb, at, pair, 2))
		return TC_ACT_OK;
	// Data only: a box that ends connections makes these packets itself.
	if (s.length == 0)
		return TC_ACT_OK;
	__builtin_memcpy(&was, pair, 2);
	pair[0]++;
	__builtin_memcpy(&is, pair, 2);
	bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), was, is, 2);
	bpf_skb_store_bytes(skb, at, pair, 2, 0);
	return TC_ACT_OK;
}

SEC("tc/rst_as_fin")
int rst_as_fin(struct __sk_buff *skb)
{
	struct seen s;

	// Of connections: a refusal has the sequence number 0, and the answer to a stray segment no ACK. That one must stay a
	// reset, or two kernels would answer each other's FINs for ever.
	if (segment(skb, &s) && s.word & RST && s.word & ACK && s.seq != 0)
		put_word(skb, FLAGS_AT, s.word, (s.word & ~RST) | FIN | ACK);
	return TC_ACT_OK;
}

SEC("tc/ecn_cleared")
int ecn_cleared(struct __sk_buff *skb)
{
	struct seen s;

	if (segment(skb, &s) && s.word & SYN && s.word & (ECE | CWR))
		put_word(skb, FLAGS_AT, s.word, s.word & ~(ECE | CWR));
	return TC_ACT_OK;
}

SEC("tc/urgent_cleared")
int urgent_cleared(struct __sk_buff *skb)
{
	struct seen s;

	if (segment(skb, &s) && s.word & URG)
		put_word(skb, FLAGS_AT, s.word, s.word & ~URG);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
