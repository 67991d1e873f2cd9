//! What a device says about its certificates.
#![no_main]

use lanyard_mdm::{
    profile::inventory::Inventory,
    syncml::{Address, Command, Item, decode},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(message) = decode(data) {
        let results = message.body.commands.iter().filter_map(|command| match command {
            Command::Results(results) => Some(&results.items),
            _ => None,
        });
        let _ = Inventory::read(results.flatten());
    }
    // Lines of address and value, which get further than XML does.
    let text = String::from_utf8_lossy(data);
    let items: Vec<Item> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(uri, value)| Item { source: Some(Address::new(uri)), data: Some(value.to_owned()), ..Item::default() })
        .collect();
    let _ = Inventory::read(&items);
});
