//! The laws of the algebra, by name, on resources drawn at random.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use tepui_base::Rng;
use tepui_proto::mesos;
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::offer::operation::{Destroy, Reserve, Type};
use tepui_proto::{MessageField, codec};
use tepui_resources::reservation::Kind;
use tepui_resources::{
    Attributes, Disk, Label, Labels, Limits, Name, Persistence, Quantities, Ranges, Reservation, Resource, Resources,
    Role, Root, Scalar, Set, Source, SourceKind, Value, format, fuzz, roles, value,
};

fn amount() -> impl Strategy<Value = Scalar> {
    (1..2_000_000i64).prop_map(Scalar::from_thousandths)
}

fn ranges() -> impl Strategy<Value = Ranges> {
    vec((0..60u64, 0..6u64), 1..5).prop_map(|pairs| Ranges::new(pairs.into_iter().map(|(low, more)| (low, low + more))))
}

fn set() -> impl Strategy<Value = Set> {
    vec(select(vec!["sda", "sdb", "sdc", "sdd", "sde"]), 1..5).prop_map(Set::new)
}

/// Amounts of a few names, so that many can be added together.
fn plain() -> impl Strategy<Value = Resource> {
    prop_oneof![
        4 => (select(vec!["cpus", "mem", "disk", "custom"]), amount())
            .prop_map(|(name, amount)| Resource::scalar(name, amount)),
        1 => ranges().prop_map(|ranges| Resource::ranges("ports", ranges)),
        1 => set().prop_map(|set| Resource::set("disks", set)),
    ]
}

fn reservations() -> impl Strategy<Value = Vec<Reservation>> {
    let labels =
        Labels(vec![Label { key: "k".into(), value: Some("v".into()) }, Label { key: "l".into(), value: None }]);
    let labelled = Reservation { labels: Some(labels), ..Reservation::dynamic("eng", Some("ann")) };
    select(vec![
        vec![],
        vec![],
        vec![Reservation::fixed("eng")],
        vec![Reservation::dynamic("eng", None)],
        vec![labelled],
        vec![Reservation::dynamic("eng/web", Some("ann"))],
        vec![Reservation::fixed("eng"), Reservation::dynamic("eng/web", Some("bob"))],
        vec![Reservation::fixed("eng"), Reservation::dynamic("eng/web", None), Reservation::dynamic("eng/web/a", None)],
    ])
}

fn disk() -> impl Strategy<Value = Option<Disk>> {
    let source = |kind, id: Option<&str>| Source {
        kind,
        path: (kind == SourceKind::Path).then(|| Root(Some(Arc::from("/p")))),
        mount: (kind == SourceKind::Mount).then(Root::default),
        vendor: Some(Arc::from("acme")),
        id: id.map(Arc::from),
        metadata: None,
        profile: None,
    };
    let sources = vec![
        None,
        Some(source(SourceKind::Path, None)),
        Some(source(SourceKind::Mount, None)),
        Some(source(SourceKind::Block, Some("b"))),
        Some(source(SourceKind::Raw, None)),
        Some(source(SourceKind::Raw, Some("r"))),
    ];
    (select(sources), select(vec![None, None, Some("v"), Some("w")])).prop_map(|(source, id)| {
        let persistence = id.map(|id| Persistence { id: Arc::from(id), principal: Some(Arc::from("ann")) });
        (source.is_some() || persistence.is_some()).then_some(Disk { persistence, volume: None, source })
    })
}

/// Anything a valid message can hold.
fn resource() -> impl Strategy<Value = Resource> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let role = select(vec![None, None, Some("eng"), Some("ops")]);
    (plain(), reservations(), disk(), role, flags).prop_map(
        |(plain, stack, disk, role, (revocable, shared, provided))| {
            let is_disk = *plain.name() == Name::DISK;
            let resource = plain.with_reservations(stack).with_allocation(role.map(Role::from));
            let resource = resource.with_disk(disk.filter(|_| is_disk)).with_revocable(revocable);
            let resource = resource.with_provider_id(provided.then(|| Arc::from("provider")));
            let shared = shared && resource.is_persistent_volume();
            resource.with_shared(shared)
        },
    )
}

fn bag() -> impl Strategy<Value = Resources> {
    vec(resource(), 0..7).prop_map(Resources::from_iter)
}

fn plain_bag() -> impl Strategy<Value = Resources> {
    vec(plain(), 0..7).prop_map(Resources::from_iter)
}

fn quantities() -> impl Strategy<Value = Quantities> {
    plain_bag().prop_map(|bag| Quantities::from_scalars(&bag))
}

fn limits() -> impl Strategy<Value = Limits> {
    vec((select(vec!["cpus", "mem", "custom"]), 0..3_000_000i64), 0..4).prop_map(|bounds| {
        let mut limits = Limits::new();
        bounds.iter().for_each(|(name, bound)| limits.set(&Name::from(*name), Scalar::from_thousandths(*bound)));
        limits
    })
}

/// No entry is empty, and no two could be one: two entries alike must be indivisible disks.
fn is_sound(bag: &Resources) -> bool {
    let entries: Vec<&Resource> = bag.iter().collect();
    let apart = |i: usize, one: &Resource| {
        entries[i + 1..]
            .iter()
            .all(|other| !one.is_like(other) || (one.disk().is_some() && !one.is_disk(SourceKind::Path)))
    };
    entries.iter().enumerate().all(|(i, one)| !one.is_empty() && apart(i, one))
}

/// The same cases in every run; `PROPTEST_CASES` asks for more of them.
fn config() -> ProptestConfig {
    ProptestConfig { rng_seed: RngSeed::Fixed(11), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn resources_addition_is_commutative(a in bag(), b in bag()) {
        prop_assert_eq!(&a + &b, &b + &a);
    }

    #[test]
    fn resources_addition_is_associative(a in bag(), b in bag(), c in bag()) {
        prop_assert_eq!((&a + &b) + &c, &a + &(&b + &c));
    }

    #[test]
    fn nothing_is_neutral(a in bag()) {
        prop_assert_eq!(&a + &Resources::new(), a.clone());
        prop_assert_eq!(&a - &Resources::new(), a.clone());
        prop_assert!((a.clone() - &a).is_empty());
    }

    #[test]
    fn what_was_added_can_be_taken_away(a in bag(), b in bag()) {
        // Sets and ranges only come back whole if they did not overlap.
        let a = a - &b;
        prop_assert_eq!((&a + &b) - &b, a);
    }

    #[test]
    fn a_sum_contains_its_parts(a in bag(), b in bag()) {
        let sum = &a + &b;
        prop_assert!(sum.contains(&a) && sum.contains(&b), "{} in {}", b, sum);
    }

    #[test]
    fn containment_is_monotone(a in bag(), b in bag(), c in bag()) {
        prop_assert!(!a.contains(&b) || (&a + &c).contains(&b));
    }

    #[test]
    fn containment_is_transitive(a in bag(), b in bag(), c in bag()) {
        let (middle, outer) = (&a + &b, &(&a + &b) + &c);
        prop_assert!(outer.contains(&middle) && middle.contains(&a) && outer.contains(&a));
    }

    #[test]
    fn taking_away_leaves_a_part(a in bag(), b in bag()) {
        prop_assert!(a.contains(&(&a - &b)));
    }

    #[test]
    fn a_bag_stays_sound(a in bag(), b in bag()) {
        prop_assert!(is_sound(&a));
        prop_assert!(is_sound(&(&a + &b)));
        prop_assert!(is_sound(&(&a - &b)));
        prop_assert!(is_sound(&a.to_unreserved()));
        prop_assert!(is_sound(&a.clone().unallocated()));
        prop_assert!(is_sound(&a.allocated_to(&Role::from("x"))));
    }

    #[test]
    fn allocating_and_unallocating_are_inverse(a in bag()) {
        let free = a.unallocated();
        prop_assert_eq!(free.clone().allocated_to(&Role::from("web")).unallocated(), free);
    }

    #[test]
    fn allocation_distributes_over_addition(a in bag(), b in bag()) {
        let role = Role::from("web");
        prop_assert_eq!((&a + &b).allocated_to(&role), a.allocated_to(&role) + &b.allocated_to(&role));
    }

    #[test]
    fn allocations_add_up_to_what_is_allocated(a in bag()) {
        let sum = a.allocations().values().fold(Resources::new(), |sum, part| sum + part);
        prop_assert_eq!(sum, a.filter(|resource| resource.allocation_role().is_some()));
    }

    #[test]
    fn reserving_and_unreserving_are_inverse(a in bag()) {
        let reservation = Reservation::dynamic("eng/web/a/b", Some("ann"));
        let reserved = a.push_reservation(&reservation).unwrap();
        prop_assert!(reserved.iter().all(|resource| resource.is_reserved_to("eng/web/a/b")));
        prop_assert_eq!(reserved.pop_reservation().unwrap(), a);
    }

    #[test]
    fn reservations_and_the_unreserved_add_up(a in bag()) {
        let sum = a.reservations().values().fold(a.unreserved(), |sum, part| sum + part);
        prop_assert_eq!(sum, a);
    }

    #[test]
    fn a_refinement_outside_its_role_is_refused(a in bag()) {
        let refused = a.push_reservation(&Reservation::dynamic("ops", None));
        prop_assert_eq!(refused.is_err(), !a.reserved().is_empty());
    }

    #[test]
    fn amounts_add_up(a in plain_bag(), b in plain_bag()) {
        let sum = Quantities::from_scalars(&a) + &Quantities::from_scalars(&b);
        prop_assert_eq!(Quantities::from_scalars(&(&a + &b)), sum.clone());
        prop_assert!((&a + &b).contains_quantities(&sum));
        let stripped = (&a + &b).stripped_scalars();
        prop_assert_eq!(Quantities::from_resources(&stripped), sum);
    }

    #[test]
    fn finding_gives_what_was_asked_from_what_is_there(a in bag(), targets in plain_bag()) {
        let total = &a + &targets.push_reservation(&Reservation::fixed("eng")).unwrap();
        let found = total.find(&targets);
        prop_assert!(found.is_some(), "{} in {}", targets, total);
        let found = found.unwrap();
        prop_assert_eq!(found.to_unreserved(), targets);
        prop_assert!(total.contains(&found));
    }

    #[test]
    fn shrinking_gives_a_part_within_the_target(a in bag(), target in quantities(), seed: u64) {
        let singles: Resources = a.iter().map(|resource| resource.clone().single()).collect();
        let shrunk = singles.shrink_to(target.clone(), &mut Rng::new(seed));
        prop_assert!(singles.contains(&shrunk));
        prop_assert!(target.contains(&Quantities::from_scalars(&shrunk)));
    }

    #[test]
    fn shrinking_within_limits_gives_a_part_within_them(a in plain_bag(), bounds in limits(), seed: u64) {
        let shrunk = a.shrink_within(bounds.clone(), &mut Rng::new(seed));
        prop_assert!(a.contains(&shrunk));
        prop_assert!(bounds.contains_quantities(&Quantities::from_scalars(&shrunk)));
        for resource in a.iter().filter(|resource| bounds.get(resource.name()).is_none()) {
            prop_assert!(shrunk.contains_one(resource));
        }
    }

    #[test]
    fn new_format_round_trips(a in bag()) {
        // Copies of a shared resource are written once.
        let singles: Resources = a.iter().map(|resource| resource.clone().single()).collect();
        prop_assert_eq!(Resources::try_from_proto(&a.to_proto()).unwrap(), singles);
    }

    #[test]
    fn endpoint_format_round_trips(a in bag()) {
        let singles: Resources = a.iter().map(|resource| resource.clone().single()).collect();
        prop_assert_eq!(Resources::try_from_proto(&a.to_endpoint()).unwrap(), singles);
    }

    #[test]
    fn old_format_round_trips_or_is_refused(one in resource()) {
        match one.to_downgraded() {
            Ok(message) => {
                prop_assert!(message.reservations.is_empty());
                prop_assert_eq!(Resource::from_proto(&message).unwrap(), one);
            }
            Err(_) => prop_assert!(one.has_refined_reservations()),
        }
    }

    #[test]
    fn upgrading_twice_is_upgrading_once(one in resource()) {
        for mut message in [one.to_proto(), one.to_endpoint()] {
            format::upgrade(&mut message);
            prop_assert_eq!(message, one.to_proto());
        }
    }

    #[test]
    fn texts_round_trip(a in plain_bag(), one in plain()) {
        let a = a + &Resources::from(one);
        prop_assert_eq!(Resources::parse(&a.to_string(), "*").unwrap(), a);
    }

    #[test]
    fn quantity_texts_round_trip(a in quantities(), one in amount()) {
        let a = a + &Quantities::from_iter([(Name::MEM, one)]);
        prop_assert_eq!(Quantities::parse(&a.to_string()).unwrap(), a);
    }

    #[test]
    fn quantities_are_added_and_taken_away(a in quantities(), b in quantities()) {
        let sum = a.clone() + &b;
        prop_assert_eq!(sum.clone(), b.clone() + &a);
        prop_assert!(sum.contains(&a) && sum.contains(&b));
        prop_assert_eq!(sum - &b, a.clone());
        prop_assert!(a.contains(&(a.clone() - &b)));
        prop_assert!((a.clone() - &b).iter().all(|(_, left)| left > Scalar::ZERO));
    }

    #[test]
    fn quantities_stay_sorted_by_name(a in quantities(), b in quantities()) {
        let sum = a + &b;
        let names: Vec<&Name> = sum.iter().map(|(name, _)| name).collect();
        prop_assert!(names.is_sorted() && names.len() == names.iter().collect::<BTreeSet<_>>().len());
    }

    #[test]
    fn quantities_contain_by_name(a in quantities(), b in quantities()) {
        prop_assert_eq!(a.contains(&b), b.iter().all(|(name, amount)| a.get(name) >= amount));
    }

    #[test]
    fn limits_bound_by_name(bounds in limits(), a in quantities()) {
        let within = a.iter().all(|(name, amount)| bounds.get(name).is_none_or(|bound| amount <= bound));
        prop_assert_eq!(bounds.contains_quantities(&a), within);
    }

    #[test]
    fn what_is_left_of_limits_bounds_the_rest(mut bounds in limits(), a in quantities(), b in quantities()) {
        for (name, amount) in a.iter() {
            if let Some(bound) = bounds.get(name) {
                bounds.set(name, bound + amount);
            }
        }
        let left = bounds.clone() - &a;
        prop_assert_eq!(left.contains_quantities(&b), bounds.contains_quantities(&(a + &b)));
        prop_assert!(bounds.contains(&left));
    }

    #[test]
    fn quantity_maps_round_trip(a in quantities(), bounds in limits()) {
        prop_assert_eq!(Quantities::from_proto(&a.to_proto()), a);
        prop_assert_eq!(Limits::from_proto(&bounds.to_proto()), bounds);
    }

    #[test]
    fn ranges_behave_as_sets_of_numbers(a in ranges(), b in ranges()) {
        let numbers = |ranges: &Ranges| ranges.iter().flat_map(|range| range.begin..=range.end).collect::<BTreeSet<u64>>();
        let (mine, theirs) = (numbers(&a), numbers(&b));
        let (mut sum, mut rest) = (a.clone(), a.clone());
        sum += &b;
        rest -= &b;
        prop_assert_eq!(numbers(&sum), mine.union(&theirs).copied().collect::<BTreeSet<_>>());
        prop_assert_eq!(numbers(&rest), mine.difference(&theirs).copied().collect::<BTreeSet<_>>());
        prop_assert_eq!(a.contains(&b), mine.is_superset(&theirs));
        prop_assert_eq!(a.intersects(&b), !mine.is_disjoint(&theirs));
        prop_assert_eq!(a.count(), mine.len() as u64);
        prop_assert_eq!(a == b, mine == theirs);
        for coalesced in [sum, rest] {
            let all: Vec<_> = coalesced.iter().collect();
            prop_assert!(all.windows(2).all(|pair| pair[0].end + 1 < pair[1].begin));
        }
    }

    #[test]
    fn many_ranges_behave_as_sets_of_numbers(a in vec(0..200u64, 0..40), b in vec(0..200u64, 0..40)) {
        let (mine, theirs) = (BTreeSet::from_iter(a), BTreeSet::from_iter(b));
        let all = |numbers: &BTreeSet<u64>| Ranges::new(numbers.iter().map(|number| (*number, *number)));
        let (mut sum, mut rest) = (all(&mine), all(&mine));
        sum += &all(&theirs);
        rest -= &all(&theirs);
        prop_assert_eq!(sum, all(&mine.union(&theirs).copied().collect()));
        prop_assert_eq!(rest, all(&mine.difference(&theirs).copied().collect()));
        prop_assert_eq!(all(&mine).intersects(&all(&theirs)), !mine.is_disjoint(&theirs));
    }

    #[test]
    fn sets_large_or_small_behave_as_sets_in_the_order_of_their_items(a in vec(0..60u8, 0..60), b in vec(30..90u8, 0..40)) {
        let texts = |items: &[u8]| items.iter().map(u8::to_string).collect::<Vec<_>>();
        let set = |items: &[String]| Set::new(items.iter().map(String::as_str));
        let mut first = texts(&a);
        let mut seen = BTreeSet::new();
        first.retain(|item| seen.insert(item.clone()));
        let theirs = BTreeSet::from_iter(texts(&b));
        let (mine, other) = (set(&texts(&a)), set(&texts(&b)));
        prop_assert!(mine.iter().eq(first.iter()));
        prop_assert_eq!(mine.contains(&other), theirs.is_subset(&seen));
        prop_assert_eq!(mine.intersects(&other), !theirs.is_disjoint(&seen));
        prop_assert_eq!(mine == other, theirs == seen);
        let (mut sum, mut rest) = (mine.clone(), mine);
        sum += &other;
        rest -= &other;
        prop_assert!(sum.iter().take(first.len()).eq(first.iter()));
        prop_assert_eq!(sum.iter().map(str::to_owned).collect::<BTreeSet<_>>(), &seen | &theirs);
        prop_assert!(rest.iter().eq(first.iter().filter(|item| !theirs.contains(*item))));
    }

    #[test]
    fn any_ranges_can_be_made_joined_and_cut(a: Vec<(u64, u64)>, b: Vec<(u64, u64)>) {
        let (mut a, b) = (Ranges::new(a), Ranges::new(b));
        a += &b;
        prop_assert!(a.contains(&b));
        a -= &b;
        prop_assert!(b.iter().all(|range| !a.contains_number(range.begin) && !a.contains_number(range.end)));
    }

    #[test]
    fn scalars_round_trip_as_numbers_and_texts(thousandths in -999_999_999_999_999..=999_999_999_999_999i64) {
        let scalar = Scalar::from_thousandths(thousandths);
        prop_assert_eq!(Scalar::from_f64(scalar.to_f64()), scalar);
        prop_assert_eq!(Scalar::from_f64(scalar.to_string().parse().unwrap()), scalar);
    }

    #[test]
    fn ancestors_are_valid_and_above(role in "[a-c]{1,3}(/[a-c.]{1,2}[a-c]){0,3}") {
        prop_assert!(roles::validate(&role).is_ok());
        for ancestor in roles::ancestors(&role) {
            prop_assert!(roles::validate(ancestor).is_ok());
            prop_assert!(roles::is_strict_subrole_of(&role, ancestor));
            prop_assert!(!roles::is_strict_subrole_of(ancestor, &role));
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "[a-c0-9.:;,(){}\\[\\]\" \n*/-]{0,24}") {
        fuzz::fuzz_flags(text.as_bytes());
        drop((value::parse(&text), roles::parse(&text)));
    }

    #[test]
    fn no_message_makes_a_reader_panic(one in resource(), at: prop::sample::Index, byte: u8, amount: f64) {
        let mut message = one.to_endpoint();
        if message.scalar.is_set() && byte < 64 {
            message.scalar.get_or_insert_default().value = amount;
        }
        let mut bytes = codec::encode(&message).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= byte;
        fuzz::fuzz_resource(&bytes);
        let volumes = vec![message.clone(), message];
        let reserve = Reserve { resources: volumes.clone(), source: volumes.clone(), ..Reserve::default() };
        let operations = [
            Operation { r#type: Some(Type::RESERVE), reserve: MessageField::some(reserve), ..Operation::default() },
            Operation {
                r#type: Some(Type::DESTROY),
                destroy: MessageField::some(Destroy { volumes, ..Destroy::default() }),
                ..Operation::default()
            },
        ];
        operations.iter().for_each(|operation| fuzz::fuzz_operation(&codec::encode(operation)));
    }

    #[test]
    fn attributes_round_trip(texts in vec("[a-z]{1,4}:([a-z]{1,4}|[0-9]{1,3}|\\[1-[2-9]\\])", 1..4)) {
        let attributes = Attributes::parse(&texts.join(";")).unwrap();
        prop_assert_eq!(attributes.0.len(), texts.len());
        prop_assert_eq!(Attributes::from_proto(&attributes.to_proto()), attributes);
    }
}

#[test]
fn a_static_reservation_on_top_is_refused() {
    let reserved = Resources::parse("cpus(a):1", "*").unwrap();
    let refused = reserved.push_reservation(&Reservation { kind: Kind::Static, ..Reservation::fixed("a/b") });
    assert!(refused.unwrap_err().to_string().contains("cannot be STATIC"));
}

#[test]
fn an_invalid_message_in_a_list_is_left_out() {
    let good = Resource::scalar("cpus", Scalar::from_units(1));
    let bad = mesos::Resource { name: "mem".into(), ..Default::default() };
    assert_eq!(Resources::from_proto(&[bad.clone(), good.to_proto()]), Resources::from(good.clone()));
    assert!(Resources::try_from_proto(&[bad, good.to_proto()]).is_err());
}

#[test]
fn the_same_resource_is_counted() {
    let volume = Disk { persistence: Some(Persistence { id: Arc::from("v"), principal: None }), ..Disk::default() };
    let disk = Resource::new("disk", Value::Scalar(Scalar::from_units(9))).with_disk(Some(volume));
    let shared = disk.with_shared(true);
    assert_eq!(Resources::from_iter([&shared, &shared, &disk]).count(&shared), 2);
    assert_eq!(Resources::from_iter([&shared, &shared, &disk]).count(&disk), 1);
    let more = Resource::scalar("cpus", Scalar::from_units(1));
    assert_eq!(Resources::from_iter([&more, &more]).count(&more), 0);
}
