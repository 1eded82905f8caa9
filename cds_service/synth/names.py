"""Names of made-up patients, in Chinese and in Latin script: common surnames and given names, joined by chance."""

from __future__ import annotations

from typing import Final

from cds_service.synth.fragments import quoted
from cds_service.synth.person import Sex
from cds_service.synth.stream import Stream

_REPRESENTATION: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"

_FAMILY: Final = (
    *(("王", "Wang"), ("李", "Li"), ("张", "Zhang"), ("刘", "Liu"), ("陈", "Chen"), ("杨", "Yang"), ("黄", "Huang")),
    *(("赵", "Zhao"), ("吴", "Wu"), ("周", "Zhou"), ("徐", "Xu"), ("孙", "Sun"), ("马", "Ma"), ("朱", "Zhu")),
    *(("胡", "Hu"), ("郭", "Guo"), ("何", "He"), ("林", "Lin"), ("罗", "Luo"), ("梁", "Liang"), ("宋", "Song")),
    *(("郑", "Zheng"), ("谢", "Xie"), ("唐", "Tang"), ("冯", "Feng"), ("曾", "Zeng"), ("欧阳", "Ouyang")),
)
_GIVEN: Final[dict[Sex, tuple[tuple[str, str], ...]]] = {
    "male": (
        *(("伟", "Wei"), ("强", "Qiang"), ("军", "Jun"), ("磊", "Lei"), ("勇", "Yong"), ("杰", "Jie"), ("涛", "Tao")),
        *(("志强", "Zhiqiang"), ("建国", "Jianguo"), ("文斌", "Wenbin"), ("俊杰", "Junjie"), ("家明", "Jiaming")),
        *(("国栋", "Guodong"), ("永康", "Yongkang"), ("海波", "Haibo"), ("德华", "Dehua")),
    ),
    "female": (
        *(("芳", "Fang"), ("娜", "Na"), ("敏", "Min"), ("静", "Jing"), ("丽", "Li"), ("艳", "Yan"), ("玲", "Ling")),
        *(("秀英", "Xiuying"), ("桂芳", "Guifang"), ("晓燕", "Xiaoyan"), ("雪梅", "Xuemei"), ("婷婷", "Tingting")),
        *(("美华", "Meihua"), ("淑珍", "Shuzhen"), ("雅琴", "Yaqin"), ("慧敏", "Huimin")),
    ),
}


def name_element(seed: int, number: int, sex: Sex) -> str:
    """Return the ``name`` element of a patient, after a comma.

    Drawn by a stream of its own: whether names are written changes nothing else.
    """
    rng = Stream(f"{seed}/{number}/name")
    (family, family_latin), (given, given_latin) = rng.choice(_FAMILY), rng.choice(_GIVEN[sex])
    chinese = _name("IDE", f"{family}{given}", family, given, use="official")
    latin = _name("ABC", f"{family_latin} {given_latin}", family_latin, given_latin, use="usual")
    return f',"name":[{chinese},{latin}]'


def _name(representation: str, text: str, family: str, given: str, *, use: str) -> str:
    extension = f'"extension":[{{"url":"{_REPRESENTATION}","valueCode":"{representation}"}}]'
    return f'{{{extension},"use":"{use}","text":{quoted(text)},"family":{quoted(family)},"given":[{quoted(given)}]}}'
