import pytest

from features.phones import ARPABET, CLASSES, SAMPA_AND_IPA, phone_classes


def test_letters_that_differ_between_alphabets_follow_the_inventory():
    sampa = phone_classes(["a:", "E", "@", "T", "D", "t", "d", "OY", "sil"])
    arpabet = phone_classes(["AA1", "IH0", "T", "D", "DH", "OY2", "sp"])
    assert (sampa["T"], sampa["D"], sampa["OY"]) == ("fricative", "fricative", "vowel")
    assert (arpabet["T"], arpabet["D"], arpabet["OY2"]) == ("stop", "stop", "vowel")


@pytest.mark.parametrize("alphabet", [ARPABET, SAMPA_AND_IPA])
def test_every_symbol_of_an_alphabet_has_one_class(alphabet):
    symbols = [symbol for name in alphabet for symbol in alphabet[name].split()]
    assert len(symbols) == len(set(symbols))
    found = phone_classes(symbols)
    for name in alphabet:
        assert {found[symbol] for symbol in alphabet[name].split()} == {name}


def test_silence_stress_length_and_unknown_marks():
    found = phone_classes(["", " ", "SIL", "ˈaː", "t_h", "tʰ", "iː", "ʃ", "?!"])
    assert list(found.values()) == (
        ["silence"] * 3 + ["vowel", "stop", "stop", "vowel", "fricative", "other"]
    )
    assert set(found.values()) <= set(CLASSES)


def test_haskins_labels_are_all_known(shared_data):
    from scipy.io import loadmat

    file = shared_data / "hprc" / "F01_B01_S01_R01_N.mat"
    audio = loadmat(file, squeeze_me=True)[file.stem][0]
    labels = [phone["LABEL"] for phone in audio["PHONES"]]
    assert "other" not in phone_classes(labels).values()
    assert phone_classes(labels)["CH"] == "affricate"
